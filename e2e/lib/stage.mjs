// What every test of the pages needs: a server, an application to come back to, a browser, and one registered client.
import { startApplication } from './application.mjs';
import { startBrowser } from './person.mjs';
import { startSite } from './site.mjs';

/** Starts it all; `strike` stops it all. If one thing does not start, the others are stopped again. */
export async function setStage(name, settings, more) {
  const started = await Promise.allSettled([startSite(name, settings, more), startApplication(), startBrowser()]);
  const things = started.map((one) => one.value);
  const strike = () => Promise.all(things.map((thing) => thing?.stop()));
  const failure = started.find((one) => one.status === 'rejected');
  try {
    if (failure) throw failure.reason;
    const [site, application, browser] = things;
    const client = await site.addClient('Importer', application.callback);
    return { site, application, browser, client, strike };
  } catch (error) {
    await strike();
    throw error;
  }
}
