// Verifies each Sigstore bundle on standard input, one a line, with Sigstore's own library and a key of ours:
//     node verify_bundle.mjs KEYID KEY.pub.pem < bundles
// Exits 0 when the bundle that hints at KEYID verifies, 1 when none does.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.INTEROP_MODULES + '/');
const { bundleFromJSON } = require('@sigstore/bundle');
const { toSignedEntity, toTrustMaterial, Verifier } = require('@sigstore/verify');

const [keyid, file] = process.argv.slice(2);
const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trusted = toTrustMaterial(root, { [keyid]: { rawBytes: readFileSync(file, 'utf8') } });
const verifier = new Verifier(trusted, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });

let verified = 0;
for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(line))));
    verified += 1;
  } catch (error) {
    console.error(`${error.name}: ${error.message}`);
  }
}
process.exit(verified === 1 ? 0 : 1);
