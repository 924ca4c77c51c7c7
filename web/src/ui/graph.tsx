/** A small moving graph. Its newest value stands beside it as text, for those who do not see it. */

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "../state/store";
import { theme } from "../theme";

export type Line = { name: string; values: (number | null)[]; color: 1 | 2 | 3 };
const HEIGHT = 120;

export function Graph({ times, lines, label, height = HEIGHT }: { times: number[]; lines: Line[]; label: string; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const chosenTheme = useStore(theme);
  const data: uPlot.AlignedData = [times, ...lines.map((line) => line.values)];
  const names = lines.map((line) => line.name).join("|");

  useEffect(() => {
    const element = box.current!;
    // A canvas takes colours only as the browser has worked them out.
    const colors = getComputedStyle(element);
    const color = (name: string) => colors.getPropertyValue(name).trim();
    const axis = { stroke: colors.color, grid: { stroke: colors.borderTopColor, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 26, 0, 0],
        scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, Math.max(high * 1.15, 1)] } },
        axes: [{ ...axis, size: 22, space: 70, values: (_plot, ticks) => ticks.map(clockOf) }, { ...axis, size: 38, space: 28 }],
        series: [{}, ...lines.map((line) => ({ label: line.name, stroke: color(`--graph-${line.color}`), width: 2, points: { show: false } }))],
      },
      data,
      element,
    );
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, chosenTheme, height]);
  useEffect(() => plot.current?.setData(data), [times, lines]);

  return <div ref={box} className="graph" role="img" aria-label={label} />;
}

const clockOf = (seconds: number) => new Date(seconds * 1000).toTimeString().slice(0, 8);
