// The rooms of src/ and the one direction in which they import. docs/architecture.md has the reasons.
const only = (room, ...allowed) => ({
  name: `${room}-imports`,
  severity: 'error',
  comment: `src/${room} may import itself${allowed.map((r) => ` and ${r}`).join('')} only.`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [room, ...allowed].map((r) => `^src/${r}/`) },
});

export default {
  forbidden: [
    only('model'),
    only('parse', 'model'),
    only('diagnose', 'model'),
    only('render', 'model'),
    only('kernel', 'model', 'parse'),
    only('runtimes', 'model', 'parse', 'kernel'),
    only('app', 'model', 'parse', 'diagnose', 'kernel', 'runtimes'),
    only('faces', 'model', 'app', 'render'),
    {
      name: 'library-imports',
      severity: 'error',
      comment:
        'The library is what src/index.ts exports: model, app and diagnose; of parse only the captures, which programs read that have no machine to look at.',
      from: { path: '^src/index.ts$' },
      to: { path: '^src/', pathNot: ['^src/(model|app|diagnose|parse/captures)/'] },
    },
    {
      name: 'pure-rooms-do-no-io',
      severity: 'error',
      comment: 'Pure rooms import no Node module and no package, so all of them run from a recording.',
      from: { path: '^src/(model|parse|diagnose|render)/' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
    {
      name: 'ffi-in-one-file',
      severity: 'error',
      comment: 'Foreign functions have no types: one file declares them all, beside their C declarations.',
      from: { path: '^src/', pathNot: '^src/kernel/(libc|koffi).ts$' },
      to: { path: 'koffi' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'A cycle has no order of reading.',
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
