import assert from 'node:assert/strict';
import { test } from 'node:test';
import { originOf } from '../../../src/parse/python/origin.ts';

test('the program, its libraries and the standard library are told apart by their files', () => {
  const files = {
    '/srv/app/server.py': 'application',
    'server.py': 'application',
    '<string>': 'application',
    '/srv/app/lib/handlers.py': 'application',
    '/srv/venv/lib/python3.11/site-packages/requests/sessions.py': 'library',
    '/usr/lib/python3/dist-packages/urllib3/connection.py': 'library',
    '/home/app/.local/lib/python3.9/site-packages/flask/app.py': 'library',
    '/usr/lib/python3.11/socket.py': 'runtime',
    '/usr/lib64/python3.9/ssl.py': 'runtime',
    '/opt/python/lib/python3.13t/asyncio/base_events.py': 'runtime',
    '/usr/lib/python311.zip/json/decoder.py': 'runtime',
    '<frozen importlib._bootstrap>': 'runtime',
  };
  for (const [file, origin] of Object.entries(files)) assert.equal(originOf(file), origin, file);
});
