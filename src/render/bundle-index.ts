import type { Inspection } from '../model/inspection.ts';
import { printable } from './text.ts';

type Versions = { unclosed: string; node: string; kernel: string; arch: string; distribution: string | null };

/** A name may hold what Markdown or HTML obeys. */
const inCell = (text: string): string =>
  text.replace(/[\\`*_{}[\]<>()#+!|~&@-]/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** The first page of a bundle, in Markdown: what there is to say, to paste into an issue, and what each file holds. */
export function renderBundleIndex(
  page: string,
  { unclosed, node, kernel, arch, distribution }: Versions,
  inspections: readonly Inspection[],
  time: string,
  scrub: (text: string) => string,
): string {
  const whom = inspections.map(({ process, inside }) => {
    const runtime = [inside.runtime ?? process.runtime, inside.version].filter((it) => it !== undefined).join(' ');
    return `| ${inCell(scrub(printable(process.name)))} ${process.pid} | ${runtime || 'not known'} | ${inside.depth} |`;
  });
  return `# Connections that were not closed

Taken ${time} with unclosed ${unclosed}.

| process | runtime | looked at |
| ------- | ------- | --------- |
${whom.join('\n')}

| machine | |
| ------- | --- |
| kernel | Linux ${kernel}, ${arch} |
| distribution | ${distribution ?? 'not known'} |
| Node.js that ran unclosed | ${node} |

\`\`\`
${page.trimEnd().replaceAll('```', "'''")}
\`\`\`

| file | what it holds |
| ---- | ------------- |
| inspect.txt | the same with every thread and every frame |
| inspect.json | the same for programs (schema/inspect.json): threads, objects, logs |
| report.json | the report for programs (schema/report.json), with every socket |
| machine.json | versions, limits of the process, kernel parameters |
| recording/ | the raw answers of the kernel: \`unclosed --from recording\` gives the report again |
`;
}
