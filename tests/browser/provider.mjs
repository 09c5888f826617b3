// An OpenID provider to sign in at: oidc-provider from npm, which is not ours, with accounts and clients as the test says.
//
// Prints `listening on ISSUER`; then each line on standard input is a command, and each gets `{"done": true}`:
//
//   {"op": "client", "client": {"client_id": "…", "client_secret": "…", "redirect_uris": ["…"]}}
//   {"op": "account", "id": "rita", "claims": {"name": "Rita", "roles": ["Usher.Support"]}}
//   {"op": "forge", "claims": {"aud": "somebody-else"}}      ID tokens say this instead, and are signed with the right key
//   {"op": "forge", "claims": null}                           they are what oidc-provider made of them
//   {"op": "replay", "on": true}                              the last ID token is given out again and again

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { module } from './tools.mjs';

const { Provider } = await module('oidc-provider/lib/index.js');
const { default: Memory } = await module('oidc-provider/lib/adapters/memory_adapter.js');
const { decodeJwt, exportJWK, generateKeyPair, SignJWT } = await module('jose/dist/webapi/index.js');

const accounts = new Map();
const clients = new Map();
let forged = null;
let last = null;
let replayed = null;
let kept = false;

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: 'test', alg: 'RS256', use: 'sig' };

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

class Clients {
  async find(id) {
    return clients.get(id);
  }
}

const provider = new Provider(issuer, {
  adapter: (name) => (name === 'Client' ? new Clients() : new Memory(name)),
  jwks: { keys: [key] },
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'roles'], profile: ['name'], email: ['email', 'email_verified'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  ttl: { AccessToken: 600, AuthorizationCode: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  findAccount: (_, id) => {
    const claims = accounts.get(id);
    return claims && { accountId: id, claims: () => ({ sub: id, ...claims }) };
  },
  // Everybody has consented to everything.
  async loadExistingGrant({ oidc }) {
    const known = oidc.session.grantIdFor(oidc.client.clientId);
    if (known) return provider.Grant.find(known);
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});

provider.use(async (ctx, next) => {
  await next();
  const onward = ctx.response.get('location');
  if (kept && /[?&]code=/.test(onward)) {
    kept = false;
    ctx.remove('location');
    ctx.status = 200;
    ctx.type = 'html';
    ctx.body = `<!doctype html><title>Kept</title><a href="${onward.replaceAll('&', '&amp;')}">Go on</a>`;
    return;
  }
  if (ctx.oidc?.route !== 'token' || !ctx.body?.id_token) return;
  last = ctx.body.id_token;
  if (replayed) ctx.body.id_token = replayed;
  if (forged) {
    const claims = { ...decodeJwt(ctx.body.id_token), ...forged };
    ctx.body.id_token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'test' })
      .sign(privateKey);
  }
});
for (const event of ['server_error', 'authorization.error', 'grant.error']) {
  provider.on(event, (_, error) => console.error(`the provider: ${event}: ${error.message} ${error.error_detail ?? ''}`));
}

/** Asks who it is, and believes the answer. With `kept:` before the account, the answer to the client becomes a link. */
async function interact(request, response) {
  if (request.method === 'POST') {
    let form = '';
    for await (const chunk of request) form += chunk;
    const typed = new URLSearchParams(form).get('account');
    kept = typed.startsWith('kept:');
    const accountId = typed.replace('kept:', '');
    // Native applications, whose loopback addresses may have any port, have to be consented to each time (RFC 8252 §8.6).
    await provider.interactionFinished(request, response, { login: { accountId }, consent: {} });
    return;
  }
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><html lang="en"><title>The provider</title><h1>Who are you?</h1>
    <form method="post"><label>Account <input name="account" autofocus></label><button>Continue</button></form></html>`);
}

const answer = provider.callback();
server.on('request', (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  return interact(request, response).catch((error) => {
    response.statusCode = 400;
    response.end(String(error));
  });
});
process.stdout.write(`listening on ${issuer}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.op === 'client') clients.set(command.client.client_id, command.client);
  if (command.op === 'account') accounts.set(command.id, command.claims);
  if (command.op === 'replay') replayed = command.on ? last : null;
  if (command.op === 'forge') forged = command.claims;
  process.stdout.write('{"done":true}\n');
}
process.exit();
