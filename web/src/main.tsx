import { createRoot } from "react-dom/client";
import { App } from "./app";
import { startLanguage } from "./i18n";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";
import { startTheme } from "./theme";

startTheme();
startLanguage();
createRoot(document.getElementById("root")!).render(<App />);
