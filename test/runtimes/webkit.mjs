// WebKit: WebKitGTK's MiniBrowser on a virtual screen, driven by its WebDriver over plain HTTP.
import { createServer } from 'node:net';
import { scratch, start, until } from './process.mjs';

const START_SECONDS = 60;

/** A port that was free a moment ago: the driver takes a number, not 0. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** One WebDriver command. */
async function command(base, method, path, body) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(START_SECONDS * 1000),
  });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`WebDriver ${method} ${path}: ${value?.error}: ${value?.message}`);
  return value;
}

/** Starts the browser: `visit(url, seconds)` opens a page and waits for its `__result`, `wait(url, seconds, script)` until a script
 *  answers something; `close()` ends everything. */
export async function launch({ webkitDriver, miniBrowser, xvfb }) {
  const { path: home, remove } = scratch();
  const programs = [];
  let session = null;
  let base = '';

  async function close() {
    if (session !== null) await command(base, 'DELETE', session).catch(() => {});
    for (const program of programs.reverse()) await program.stop();
    remove();
  }

  try {
    // The screen chooses its number and writes it to descriptor 3.
    const args = ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp'];
    const screen = start(xvfb, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    programs.push(screen);
    let number = '';
    screen.child.stdio[3].setEncoding('utf8').on('data', (text) => (number += text));
    await until(START_SECONDS, 'Xvfb', () => number.endsWith('\n') || undefined);

    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const driver = start(webkitDriver, [`--port=${port}`, '--host=127.0.0.1'], {
      env: {
        DISPLAY: `:${number.trim()}`,
        GDK_BACKEND: 'x11',
        HOME: home,
        XDG_RUNTIME_DIR: home,
        XDG_CACHE_HOME: home,
        XDG_DATA_HOME: home,
        LIBGL_ALWAYS_SOFTWARE: '1',
        NO_AT_BRIDGE: '1', // no accessibility bus
        JSC_useSharedArrayBuffer: '1', // as in Safari; WebKitGTK leaves it out of isolated pages too
        http_proxy: 'http://127.0.0.1:9', // nothing but loopback can be reached
        https_proxy: 'http://127.0.0.1:9',
        no_proxy: '127.0.0.1,localhost',
      },
    });
    programs.push(driver);
    await until(START_SECONDS, 'WebKitWebDriver', () => command(base, 'GET', '/status'));
    const { sessionId, capabilities } = await command(base, 'POST', '/session', {
      capabilities: {
        alwaysMatch: { 'webkitgtk:browserOptions': { binary: miniBrowser, args: ['--automation'] } },
      },
    });
    session = `/session/${sessionId}`;

    const wait = async (url, seconds, text) => {
      await command(base, 'POST', `${session}/url`, { url });
      const script = { script: text, args: [] };
      const read = async () => (await command(base, 'POST', `${session}/execute/sync`, script)) ?? undefined;
      return await until(seconds, url, read);
    };
    const visit = async (url, seconds) => JSON.parse(await wait(url, seconds, 'return window.__result ?? null'));

    return { version: capabilities.browserVersion, visit, wait, close };
  } catch (error) {
    const printed = programs.map((program) => program.output()).join('');
    await close();
    throw new Error(`${error.message}\n${printed}`, { cause: error });
  }
}
