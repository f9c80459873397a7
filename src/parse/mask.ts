const HIDDEN = '***';

// Each is bounded, so that a long line takes time in proportion to its length.
const PATTERNS: readonly [RegExp, string][] = [
  // user and password in an address
  [/([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"']{1,200}@/gi, `$1${HIDDEN}@`],
  // headers, to the end of what is quoted, or of the line
  [/\b((?:proxy-)?authorization|(?:set-)?cookie)("?'?\s{0,3}[:=]\s{0,3}"?'?)[^"'\r\n]{1,4096}/gi, `$1$2${HIDDEN}`],
  [/\b(bearer|basic)\s{1,3}[a-z0-9+/=._~-]{6,4096}/gi, `$1 ${HIDDEN}`],
  // settings and parameters: password=…, "api_key": "…"
  [
    /((?:password|passwd|passphrase|passcode|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|session[_-]?id|signature)\\?["']?\s{0,3}[:=]\s{0,3})(?:\\?"[^"\\]{0,1000}|'[^']{0,1000}|[^\s,;&)}\]"'\\]{1,1000})/gi,
    `$1${HIDDEN}`,
  ],
  // tokens by their form: JWT, AWS, GitHub, Slack, Stripe and OpenAI
  [/\beyJ[\w-]{8,4096}(?:\.[\w-]{0,4096}){0,2}/g, HIDDEN],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, HIDDEN],
  [/\b(?:gh[pousr]_|github_pat_|xox[abprs]-|sk[-_](?:live[-_])?|pk[-_]live[-_])[\w-]{16,4096}/g, HIDDEN],
];

/** Letters and digits together at this length are a key, a digest or an identifier, and hardly a word. */
const LONG_TOKEN = /[A-Za-z0-9+_=-]{32,4096}/g;
const looksRandom = (text: string): boolean => (text.match(/[0-9]/g) ?? []).length >= 4 && /[A-Za-z]/.test(text);

/** The text without what looks like a secret. It hides too much rather than too little, and cannot know every form. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const [pattern, by] of PATTERNS) masked = masked.replace(pattern, by);
  return masked.replace(LONG_TOKEN, (token) => (looksRandom(token) ? HIDDEN : token));
}
