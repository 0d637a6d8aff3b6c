// A real OpenID provider for the tests: `node provider.mjs MODULE PORT KEYS`.
//
// MODULE is the file of oidc-provider to import, KEYS a JSON file with a set of private keys, the first of which signs.
// Its one client, `ada`, gets access tokens in JWT form by client credentials; each person, whatever the name and
// password, gets an ID token by the authorization code flow.  Prints its issuer when it listens.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , module, port, keys] = process.argv;
const { Provider } = await import(pathToFileURL(module));
const issuer = `http://127.0.0.1:${port}`;
const jwks = JSON.parse(readFileSync(keys));
const algorithm = jwks.keys[0].alg;
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'ada',
    client_secret: 'secret',
    id_token_signed_response_alg: algorithm,
    grant_types: ['client_credentials', 'authorization_code'],
    redirect_uris: ['http://127.0.0.1:1/back'],
  }],
  jwks,
  enabledJWA: { idTokenSigningAlgValues: [algorithm] },
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.params?.grant_type === 'client_credentials' ? 'urn:fanlight' : undefined),
      getResourceServerInfo: () => ({
        scope: 'read', audience: 'fanlight', accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg: algorithm } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log(issuer));
