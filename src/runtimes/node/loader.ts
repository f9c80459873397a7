/**
 * Source of a function that gives a module of Node.js by its name: process.getBuiltinModule since 20.16 and 22.3, before
 * that the `require` of the inspector's command line, which is there only while an expression is evaluated.
 */
export const LOADER = `((required) => (name) =>
  typeof process.getBuiltinModule === 'function' ? process.getBuiltinModule(name) : required(name)
)(typeof require === 'function' ? require : undefined)`;
