import { useText } from "../i18n";
import { go, usePath } from "../router";
import { Page, Tabs } from "../ui/parts";
import { Doctor } from "./doctor";
import { Logs } from "./logs";
import { Recordings } from "./recordings";
import { Report } from "./report";

const START = "doctor";

export default function Diagnosis() {
  const { t } = useText();
  const active = usePath().split("/")[2] ?? START;
  const tabs = [
    { id: "doctor", title: t("diagnosis.doctor"), content: () => <Doctor /> },
    { id: "logs", title: t("diagnosis.logs"), content: () => <Logs /> },
    { id: "recordings", title: t("diagnosis.recordings"), content: () => <Recordings /> },
    { id: "report", title: t("diagnosis.report"), content: () => <Report /> },
  ];
  return (
    <Page title={t("diagnosis.title")}>
      <Tabs
        label={t("diagnosis.title")} tabs={tabs} active={tabs.some((tab) => tab.id === active) ? active : START}
        onChange={(id) => go(id === START ? "/diagnostics" : `/diagnostics/${id}`)}
      />
    </Page>
  );
}
