// What decides about attaching, where hsperfdata does not tell: options of HotSpot in the order in which it takes them
// (Arguments::parse in src/hotspot/share/runtime/arguments.cpp). The last one holds.

/** Files with options that are not read here. */
const FILES = /^(?:@.+|-XX:(?:Flags|VMOptionsFile)=.+)$/;

/** Whether the options switch attaching off; undefined when some of them stand in files. `environment` is that of the process. */
export function disablesAttach(argv: readonly string[], environment: readonly string[]): boolean | undefined {
  const variable = (name: string): string[] =>
    environment
      .filter((entry) => entry.startsWith(`${name}=`))
      .flatMap((entry) => entry.slice(name.length + 1).split(/\s+/));
  const options = [
    ...variable('JAVA_TOOL_OPTIONS'),
    ...variable('JDK_JAVA_OPTIONS'),
    ...argv.slice(1),
    ...variable('_JAVA_OPTIONS'),
  ];
  const last = options.findLast((option) => /^-XX:[+-]DisableAttachMechanism$/.test(option));
  if (last !== undefined) return last.startsWith('-XX:+');
  return options.some((option) => FILES.test(option)) ? undefined : false;
}
