// node.js/v24.21.0: what the inspector answers as its name (src/inspector_socket_server.cc), one string in the binary.
const VERSION = /node\.js\/(v[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}[0-9A-Za-z.+-]{0,40})\0/;

/** The longest such string: pieces of a file overlap by so much. */
export const VERSION_OVERLAP = 80;

/** The version of Node.js that stands in a piece of its binary, given as Latin-1 text. */
export const versionIn = (piece: string): string | undefined => VERSION.exec(piece)?.[1];

/** From the answer to /json/version. Undefined when that is no inspector of Node.js. */
export function inspectorVersion(answer: unknown): string | undefined {
  const browser = typeof answer === 'object' && answer !== null && 'Browser' in answer ? answer.Browser : undefined;
  return typeof browser === 'string' ? /^node\.js\/(v[0-9.]+.{0,40})$/.exec(browser)?.[1] : undefined;
}

/** From the answer to /json/list: the one target that Node.js has. */
export function inspectorId(answer: unknown): string | undefined {
  const [target] = Array.isArray(answer) ? answer : [];
  const id = typeof target === 'object' && target !== null && 'id' in target ? target.id : undefined;
  return typeof id === 'string' && /^[0-9a-f-]{8,64}$/i.test(id) ? id : undefined;
}
