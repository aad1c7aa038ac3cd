// The five other surfaces: a server that speaks all of them, each below a host of its own, and an application for each.
import { request } from 'node:http';
import './loopback.mjs';
import { startSite } from './site.mjs';

export const NAMES = ['tinyemail', 'tinyplus', 'tinyrebrand', 'php-endpoints', 'paced'];
const WAIVERS = [
  'secret-in-query', 'implicit-grant', 'token-in-query', 'password-grant', 'open-introspection', 'open-revocation',
  'code-without-redirect-uri', 'refresh-without-expiry',
];

/** Where each surface's browsers begin. */
const AUTHORIZE = {
  tinyemail: '/api/authorization-server/oauth/authorize',
  tinyplus: '/oauth/authorize',
  tinyrebrand: '/api/oauth/authorize',
  'php-endpoints': '/api/authorize.php',
  paced: '/oauth/authorize',
};

/** Starts a server with all surfaces; `more` are further lines of its configuration. */
export function startSurfaces(name, more = '') {
  const settings = {
    GRANTRY_DIALECTS__ENABLE: ['standard', ...NAMES].join(','),
    GRANTRY_DIALECTS__ACCEPT: WAIVERS.join(','),
  };
  const hosts = (port) => NAMES.map((own) => `[dialect.${own}]\nhosts = ["${own}.localhost:${port}"]\n`).join('') + more;
  return startSite(name, settings, hosts);
}

/** The address of a surface of the site. */
export function originOf(site, name) {
  return site.origin.replace('localhost', `${name}.localhost`);
}

/** Registers an application that comes back to `redirectUri`. */
export async function addApplication(site, name, redirectUri, more = []) {
  const words = ['client', 'add', '--dialect', name, '--name', `Friend of ${name}`, '--redirect-uri', redirectUri];
  const client = await site.ask([...words, ...more]);
  if (client.client_secret) site.keepSecret(client.client_secret);
  return { id: client.client_id, secret: client.client_secret, redirectUri };
}

/** The address that an application of the surface opens, with these parameters. */
export function authorizeUrl(site, name, client, more = {}) {
  const query = new URLSearchParams({ response_type: 'code', client_id: client.id, redirect_uri: client.redirectUri, ...more });
  return `${originOf(site, name)}${AUTHORIZE[name]}?${query}`;
}

/** Asks a surface as a program does. */
export async function askSurface(site, name, path, options) {
  const response = await fetch(originOf(site, name) + path, options);
  return { status: response.status, body: await response.json() };
}
