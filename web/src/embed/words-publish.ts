/** What only the studio says. */

import type { MediaFailure } from '../lib/media';
import { common, type Said, type Words } from './words';

/** `frame`: the page stands in a frame that may not. */
export type Trouble = Exclude<MediaFailure, 'blocked_system' | 'unsupported'> | 'frame';

export interface PublishWords extends Words {
  devices: Record<Trouble, Said>;
  preview: string;
  open: string;
  start: string;
  stop: string;
  microphone: string;
  camera: string;
  screen: string;
}

const { en, ko } = common;

export const words: { en: PublishWords; ko: PublishWords } = {
  en: {
    ...en,
    refused: { ...en.refused, busy: ['Somebody else is live here', 'Try again when they have stopped.'] },
    devices: {
      blocked: ['Camera or microphone is blocked', 'Allow them beside the address of the page and in the settings of the system.'],
      frame: ['Camera or microphone is blocked', 'The frame around it needs allow="camera; microphone".'],
      missing: ['No camera or microphone was found', 'Connect one, or share your screen.'],
      busy: ['Camera or microphone is in use', 'Close the other program and try again.'],
      insecure: ['This page is not secure', 'Open it over https.'],
      other: ['Camera or microphone did not start', 'Start the browser again.'],
    },
    preview: 'Your picture',
    open: 'Turn on camera and microphone',
    start: 'Go live',
    stop: 'Stop',
    microphone: 'Microphone',
    camera: 'Camera',
    screen: 'Share screen',
  },
  ko: {
    ...ko,
    refused: { ...ko.refused, busy: ['다른 사람이 방송하고 있습니다', '방송이 끝난 뒤에 다시 시도하세요.'] },
    devices: {
      blocked: ['카메라나 마이크가 차단되었습니다', '주소 옆과 운영체제 설정에서 허용하세요.'],
      frame: ['카메라나 마이크가 차단되었습니다', '바깥 프레임에 allow="camera; microphone"이 있어야 합니다.'],
      missing: ['카메라나 마이크를 찾을 수 없습니다', '장치를 연결하거나 화면을 공유하세요.'],
      busy: ['카메라나 마이크가 사용 중입니다', '다른 프로그램을 닫고 다시 시도하세요.'],
      insecure: ['안전하지 않은 페이지입니다', 'https 주소로 여세요.'],
      other: ['카메라나 마이크를 켜지 못했습니다', '브라우저를 다시 실행하세요.'],
    },
    preview: '내 영상',
    open: '카메라와 마이크 켜기',
    start: '방송 시작',
    stop: '방송 끝내기',
    microphone: '마이크',
    camera: '카메라',
    screen: '화면 공유',
  },
};
