import { existsSync } from "node:fs";
import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const page = (name: string) => resolve(import.meta.dirname, name);
const hasPlayer = existsSync(page("play.html"));

// The host serves the files of this folder by exact name; scripts/web checks that a rebuild gives the same bytes.
export default defineConfig({
  plugins: [react()],
  define: { __HAS_PLAYER__: JSON.stringify(hasPlayer) },
  build: {
    outDir: "../src/punktfunk/mgmt/assets",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rollupOptions: { input: [page("index.html"), ...(hasPlayer ? [page("play.html")] : [])] },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
