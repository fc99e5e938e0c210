// Chromium and Firefox: the browsers of the system, headless, driven by puppeteer (CDP and WebDriver BiDi).
import { adopt, scratch, within } from './process.mjs';

const START_SECONDS = 60;

/** Nothing outside this machine may be asked. */
const CHROMIUM = [
  '--no-sandbox', // containers run as root, where the sandbox refuses to start
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];

/** Everything but loopback goes to a proxy that does not exist. */
const FIREFOX = {
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'datareporting.policy.dataSubmissionEnabled': false,
  'services.settings.server': 'http://127.0.0.1:9/',
  'toolkit.telemetry.enabled': false,
};

/**
 * Starts `chrome` or `firefox`: `visit(url, seconds)` opens a page and waits for its `__result`, `page()` opens an empty one,
 * `close()` ends the browser.
 */
export async function launch(name, executablePath) {
  const { default: puppeteer } = await import('puppeteer-core');
  const profile = scratch();
  const browser = await puppeteer.launch({
    browser: name,
    executablePath,
    headless: true,
    userDataDir: profile.path,
    timeout: START_SECONDS * 1000,
    ...(name === 'firefox' ? { extraPrefsFirefox: FIREFOX } : { args: CHROMIUM }),
  });
  const kill = adopt(browser.process());
  const version = (await browser.version()).replace(/^[^/]*\//, '');

  async function visit(url, seconds) {
    const page = await browser.newPage();
    const log = [];
    page.on('console', (message) => log.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => log.push(`page error: ${error.message}`));
    try {
      await page.goto(url, { timeout: START_SECONDS * 1000 });
      const handle = await page.waitForFunction(() => globalThis.__result, { timeout: seconds * 1000, polling: 200 });
      return JSON.parse(await handle.jsonValue());
    } catch (error) {
      throw new Error([error.message, ...log].join('\n'), { cause: error });
    } finally {
      await within(10, 'closing the page', page.close()).catch(() => {});
    }
  }

  async function close() {
    await within(10, 'closing the browser', browser.close()).catch(() => {});
    kill();
    profile.remove();
  }

  return { version, visit, page: () => browser.newPage(), close };
}
