/** Recordings of others that run at this moment, by name, from what `JFR.check` says. */
export const runningRecordings = (text: string): string[] =>
  [
    ...text.matchAll(/^Recording [0-9]+: name=(.*?)(?: (?:duration|maxsize|maxage)=\S+)* \((?:running|delayed)\)$/gm),
  ].map(([, name = '']) => name);

/** Whether a JVM says that it has no flight recorder: not built in, or not allowed. */
export const lacksRecorder = (text: string): boolean =>
  /Unknown diagnostic command|not enabled|unlock_commercial_features|ClassNotFoundException|FlightRecorder.*(?:not|disabled)/i.test(
    text,
  );

/** The directory in which the recorder keeps what it has not written elsewhere, from the system properties. */
export const repositoryOf = (properties: string): string | undefined =>
  /^jdk\.jfr\.repository=(.+)$/m.exec(properties)?.[1]?.replace(/\\(.)/g, '$1').trim();

/** The name that HotSpot gives to such a directory: the time, and its own pid. */
export const isRepository = (path: string, nspid: number): boolean =>
  new RegExp(`/[0-9]{4}(?:_[0-9]{2}){5}_${nspid}(?:_[0-9]+)?$`).test(path);
