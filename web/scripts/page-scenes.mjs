// The counselling page and the pages of a broadcast, as somebody sees them who does not sit there alone.
const OTHER = {
  ko: { expert: '김하늘', member: '이마당', note: '1. 지난주보다 잠이 편해짐\n2. 아침 산책 20분, 주 3회', more: '\n3. 커피는 점심까지만\n\n다음 주 화요일에 다시 이야기하기' },
  en: { expert: 'Ada Lovelace', member: 'Grace Hopper', note: '1. Sleeping better than last week\n2. A walk in the morning, 20 minutes, three times a week', more: '\n3. No coffee after lunch\n\nTalk again next Tuesday' },
};

/** `person(hue)`: somebody with a page of his own. `shoot(page, scene)` takes a picture. */
export async function walkPages({ url, language, phone, person, shoot }) {
  const room = `yard-${Math.random().toString(36).slice(2, 7)}`;
  const names = OTHER[language];
  await counsel({ url: `${url}/c/${room}`, home: url, names, phone, person, shoot });
  await broadcast({ url, room, person, shoot });
}

async function counsel({ url, home, names, phone, person, shoot }) {
  const expert = await person(150);
  await expert.goto(home);
  await expert.getByTestId('home-counsel').click();
  await expert.getByTestId('counsel-links').waitFor();
  await shoot(expert, '20-counsel-links');

  await knock(expert, `${url}?role=expert`, names.expert, () => shoot(expert, '21-counsel-prejoin'));
  await expert.getByTestId('counsel-waiting').waitFor();
  await shoot(expert, '22-counsel-waiting');

  const member = await person(24);
  await knock(member, `${url}?role=member`, names.member);
  await plays(expert, 'counsel-remote');
  await expert.getByTestId('note').fill(names.note);
  await expert.waitForTimeout(500);
  await member.getByTestId('note').focus();
  await member.keyboard.press('Control+End');
  await member.keyboard.insertText(names.more);
  for (const [index, hue] of [90, 200, 320].entries()) {
    const by = index === 1 ? expert : member;
    if (phone && by === expert) await expert.getByTestId('tab-pictures').click();
    await by.getByTestId('picture-file').setInputFiles({ name: ['garden.png', 'lake.png', 'evening.png'][index], mimeType: 'image/png', buffer: await landscape(expert, hue) });
    await by.getByTestId('picture-preview').waitFor();
    if (by === expert) await shoot(expert, '24-counsel-preview');
    await by.getByTestId('picture-send').click();
    await expert.getByTestId('picture').nth(index).waitFor({ state: 'attached' });
  }
  await expert.waitForTimeout(5_500);
  if (phone) {
    await shoot(expert, '25-counsel-pictures');
    await expert.getByTestId('tab-note').click();
  }
  await shoot(expert, '23-counsel-together');
  if (phone) await expert.getByTestId('tab-pictures').click();
  await expert.getByTestId('picture').first().click();
  await expert.getByTestId('lightbox').waitFor();
  await shoot(expert, '26-counsel-lightbox');
  await expert.keyboard.press('Escape');
  if (phone) await expert.getByTestId('tab-note').click();

  await member.getByTestId('btn-cam').click();
  await expert.locator('[data-testid="counsel-other"][data-video="false"]').waitFor();
  await member.getByTestId('btn-finish').click();
  await shoot(member, '27-counsel-finish');
  await member.getByTestId('confirm-finish-yes').click();
  await expert.getByTestId('btn-end').waitFor();
  await shoot(member, '32-counsel-told');
  await expert.waitForTimeout(5_500);
  await shoot(expert, '28-counsel-done');

  const third = await person(300);
  await knock(third, `${url}?role=member`, names.member);
  await third.getByTestId('counsel-ended').waitFor();
  await shoot(third, '29-counsel-taken');
  await third.context().close();

  const session = await member.context().newCDPSession(member);
  session.send('Page.crash').catch(() => undefined);
  await expert.getByTestId('banner-line').waitFor();
  await shoot(expert, '30-counsel-broke');
  await member.context().close();

  await expert.getByTestId('btn-end').click();
  await expert.getByTestId('confirm-end-yes').click();
  await expert.getByTestId('counsel-ended').waitFor();
  await shoot(expert, '31-counsel-ended');
  await expert.context().close();
}

async function broadcast({ url, room, person, shoot }) {
  const viewer = await person(0);
  await viewer.goto(`${url}/watch/${room}`);
  await viewer.locator('[data-testid="watch"][data-state="waiting"]').waitFor();
  await shoot(viewer, '40-watch-waiting');

  const presenter = await person(210);
  await presenter.goto(`${url}/studio/${room}`);
  await presenter.locator('[data-testid="btn-cam"][aria-pressed="true"]').waitFor();
  await shoot(presenter, '41-studio-ready');
  await presenter.getByTestId('studio-embed').click();
  await presenter.getByTestId('embed-dialog').waitFor();
  await shoot(presenter, '48-studio-embed');
  await presenter.keyboard.press('Escape');
  await presenter.getByTestId('studio-start').click();
  await presenter.locator('[data-testid="studio"][data-state="live"]').waitFor();
  await plays(viewer, 'watch-video');
  await presenter.getByTestId('studio-ceiling').selectOption('2000000');
  await presenter.waitForTimeout(12_000);
  await shoot(presenter, '42-studio-live');
  await shoot(viewer, '43-watch-live');
  await viewer.close();

  const quiet = await person(0);
  await quiet.addInitScript(() => {
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
      return this.muted ? play.call(this) : Promise.reject(new DOMException('no', 'NotAllowedError'));
    };
  });
  await quiet.goto(`${url}/watch/${room}`);
  await quiet.getByTestId('btn-sound-on').waitFor();
  await plays(quiet, 'watch-video');
  await shoot(quiet, '44-watch-sound');

  const second = await person(90);
  await second.goto(`${url}/studio/${room}`);
  await second.locator('[data-testid="btn-cam"][aria-pressed="true"]').waitFor();
  await second.getByTestId('studio-start').click();
  await second.getByTestId('studio-refused').waitFor();
  await shoot(second, '45-studio-refused');
  await second.context().close();

  await presenter.getByTestId('studio-stop').click();
  await presenter.getByTestId('studio-lasted').waitFor();
  await shoot(presenter, '46-studio-stopped');
  await quiet.locator('[data-testid="watch"][data-state="stopped"]').waitFor();
  await shoot(quiet, '47-watch-stopped');
  for (const page of [presenter, quiet]) await page.context().close();
}

async function knock(page, url, name, look = async () => undefined) {
  await page.goto(url);
  await page.getByTestId('prejoin-name').fill(name);
  await page.locator('[data-testid="prejoin-cam"][aria-pressed="true"]').waitFor();
  await look();
  await page.getByTestId('prejoin-join').click();
}

async function plays(page, id) {
  await page.waitForFunction((testId) => {
    const video = document.querySelector(`[data-testid="${testId}"]`);
    return video && video.videoWidth > 0 && video.currentTime > 1;
  }, id);
}

/** Something to look at: hills under a sun. */
async function landscape(page, hue) {
  const drawn = await page.evaluate((tint) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 720 });
    const pen = canvas.getContext('2d');
    const sky = pen.createLinearGradient(0, 0, 0, 720);
    sky.addColorStop(0, `hsl(${tint + 120} 45% 78%)`);
    sky.addColorStop(1, `hsl(${tint + 60} 55% 90%)`);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 960, 720);
    pen.fillStyle = 'hsl(38 90% 78%)';
    pen.beginPath();
    pen.arc(660, 210, 80, 0, 7);
    pen.fill();
    for (const [step, height] of [[0, 300], [1, 400], [2, 520]]) {
      pen.fillStyle = `hsl(${tint} ${30 + step * 8}% ${58 - step * 14}%)`;
      pen.beginPath();
      pen.moveTo(0, 720);
      for (let x = 0; x <= 960; x += 8) pen.lineTo(x, height + Math.sin(x / (120 + step * 50) + step * 2) * (70 - step * 15));
      pen.lineTo(960, 720);
      pen.fill();
    }
    return canvas.toDataURL('image/png').split(',')[1];
  }, hue);
  return Buffer.from(drawn, 'base64');
}

