import { expect, it } from 'vitest';
import { fromMarkup, plain, toMarkup } from './markup';

it('text comes back as it was', () => {
  for (const text of ['', 'a', 'a\nb\n\nc', '<b>bold?</b> & "so" it\'s', '&lt; &amp;amp; &#39;', '  two  spaces', '안녕하세요 😀', '<script>alert(1)</script>', 'a < b > c', '<!-- no -->']) {
    expect(fromMarkup(toMarkup(text)), text).toBe(text);
  }
  expect(toMarkup('<img src=x onerror=alert(1)>\n')).toBe('&lt;img src=x onerror=alert(1)&gt;<br>');
});

it('what another editor wrote becomes its words', () => {
  expect(fromMarkup('<p>one</p><p>two <b>bold</b></p>')).toBe('one\ntwo bold');
  expect(fromMarkup('one<div>two</div><div>three</div>')).toBe('one\ntwo\nthree');
  expect(fromMarkup('<ul><li>a</li><li>b</li></ul>')).toBe('a\nb\n');
  expect(fromMarkup('a<br/>b<BR>c')).toBe('a\nb\nc');
  expect(fromMarkup('x&nbsp;&lt;y&gt;&#x41;&#66;&unknown;')).toBe('x <y>AB&unknown;');
});

it('nothing that runs or hides comes through', () => {
  for (const markup of ['<script>alert(1)</script>', '<script>alert(1)', '<style>a{}</style >', '<!-- x', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<a href="javascript:x">', '<img src=x']) {
    expect(fromMarkup(markup), markup).toBe('');
  }
  expect(fromMarkup('a<script>b</script>c')).toBe('ac');
  // What is left after one pass is text, whatever it looks like.
  expect(fromMarkup('&lt;script&gt;x')).toBe('<script>x');
});

it('signs that are no writing go', () => {
  expect(plain('a\u0000b\u0007\tc\nd\ud800')).toBe('ab\tc\nd\ufffd');
  expect(fromMarkup('&#0;&#xd800;&#9999999;x')).toBe('x');
});
