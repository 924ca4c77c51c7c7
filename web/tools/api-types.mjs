// Writes src/api/schema.ts, or the file that is named: one TypeScript type for each schema of docs/openapi.json.
import { readFileSync, writeFileSync } from "node:fs";

const source = new URL("../../docs/openapi.json", import.meta.url);
const target = process.argv[2] ?? new URL("../src/api/schema.ts", import.meta.url);
const { components } = JSON.parse(readFileSync(source, "utf8"));

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(" | ");
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "boolean":
    case "null":
    case "string":
      return schema.type;
    case "array":
      return `(${typeOf(schema.items)})[]`;
    case "object":
      return schema.properties ? objectOf(schema) : `Record<string, ${typeOf(schema.additionalProperties ?? {})}>`;
    default:
      return "unknown";
  }
}

function objectOf(schema) {
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => `  ${name}${required.has(name) ? "" : "?"}: ${typeOf(field)};`,
  );
  return fields.length ? `{\n${fields.join("\n")}\n}` : "Record<string, never>";
}

const types = Object.entries(components.schemas)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, schema]) => `export type ${name} = ${typeOf(schema)};\n`);
writeFileSync(target, `// Made from docs/openapi.json by tools/api-types.mjs.\n\n${types.join("\n")}`);
