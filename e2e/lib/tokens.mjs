// Access tokens: good ones through the server SDK, bad ones by hand.
import { createHmac, randomBytes } from 'node:crypto';
import { AccessToken } from 'livekit-server-sdk';

export const roomName = (topic) => `e2e-${topic}-${randomBytes(4).toString('hex')}`;

export const joinToken = (server, { room, identity, name = identity, grant = {}, attributes }) => {
  const token = new AccessToken(server.key, server.secret, { identity, name, ttl: '1h', attributes });
  token.addGrant({ room, roomJoin: true, canUpdateOwnMetadata: true, ...grant });
  return token.toJwt();
};

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

// A token exactly as told, however wrong.
export const rawToken = (server, claims, { secret = server.secret, algorithm = 'HS256' } = {}) => {
  const signed = `${encode({ alg: algorithm, typ: 'JWT' })}.${encode({ iss: server.key, ...claims })}`;
  const signature = algorithm === 'none' ? '' : createHmac('sha256', secret).update(signed).digest('base64url');
  return `${signed}.${signature}`;
};

export const nowSeconds = () => Math.floor(Date.now() / 1000);
