// The page that says whether a call will work: on a good network, on one that lets no UDP through, without devices, without an invitation.

/** `person(hue, otherwise)`: a page of somebody; `otherwise.blocked`: in a network without UDP, `otherwise.devices`: false for refused ones. */
export async function walkCheck({ url, person, shoot }) {
  const good = await person(210);
  await good.goto(url);
  await good.getByTestId('home-check').click();
  await good.locator('[data-testid="check-call"][data-verdict="running"]').waitFor();
  await shoot(good, '50-check-running');
  await finished(good);
  await good.getByTestId('check-devices').click();
  await good.locator('[data-testid="check-camera"][data-verdict="ok"]').waitFor();
  await good.locator('[data-testid="check-microphone"][data-verdict="ok"]').waitFor();
  await good.getByTestId('check-tone').click();
  await good.getByTestId('check-heard').waitFor();
  await shoot(good, '51-check-good');
  await good.context().close();

  const blocked = await person(210, { blocked: true });
  await blocked.goto(url);
  await blocked.getByTestId('home-check').click();
  await finished(blocked);
  await shoot(blocked, '52-check-no-udp');
  await blocked.context().close();

  const refused = await person(210, { devices: false });
  await refused.goto(`${url}/check`);
  await finished(refused);
  await refused.getByTestId('check-devices').click();
  await refused.getByTestId('prejoin-help').waitFor();
  await shoot(refused, '53-check-no-devices');
  await refused.context().close();

  const stranger = await person(210);
  await stranger.route('**/api/config', (route) => route.fulfill({ json: { dev: false, version: '1.0.0' } }));
  await stranger.goto(`${url}/check`);
  await stranger.getByTestId('check-invitation').waitFor();
  await finished(stranger);
  await shoot(stranger, '54-check-invitation');
  await stranger.goto(`${url}/check#token=${token()}`);
  await stranger.getByTestId('check-meeting').waitFor();
  await shoot(stranger, '55-check-meeting');
  await stranger.context().close();
}

async function finished(page) {
  await page.locator('[data-testid="check"][data-state="done"]').waitFor({ timeout: 60_000 });
}

/** Nothing is asked with it before somebody agrees. */
function token() {
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub: 'guest', exp: 4_000_000_000, video: { room: 'yard', roomJoin: true } })}.none`;
}
