/** Constructed, not written into the page: a content security policy has nothing to object to. */
export const STYLE = `:host{display:block;position:relative;overflow:hidden;border-radius:var(--madang-radius,12px);background:var(--madang-background,#14130f);color:var(--madang-color,#f6f1e8);font:var(--madang-font,1rem/1.5 system-ui,sans-serif);--a:var(--madang-accent,#8ccab8)}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box}
[part=frame]{position:relative;min-height:11rem;aspect-ratio:var(--madang-ratio,16/9)}
video{position:absolute;width:100%;height:100%;object-fit:var(--madang-fit,contain)}
[part=status]{position:absolute;inset:0;display:grid;align-content:center;justify-items:center;gap:.5rem;padding:1rem;overflow:auto;background:var(--madang-veil,#14130fd1);text-align:center;word-break:keep-all}
p{margin:0}
[part=title]{font-size:1.15em;font-weight:600}
[part=spinner]{width:1.75rem;height:1.75rem;border:3px solid #fff4;border-top-color:var(--a);border-radius:50%;animation:t 1s linear infinite}
@keyframes t{to{transform:rotate(1turn)}}
[part=badge]{position:absolute;top:.7rem;left:.7rem;padding:.1rem .6rem;border-radius:7px;background:var(--madang-live,#a93626);color:#fff;font-size:.8125rem;font-weight:600}
[role=status]{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
button,select{min-height:44px;padding:.4rem 1.1rem;border:1px solid #fff5;border-radius:22px;background:#26241e;color:inherit;font:inherit;cursor:pointer}
.main{background:var(--a);color:var(--madang-on-accent,#14130f);font-weight:600}
:focus-visible{outline:3px solid var(--a);outline-offset:2px}
`;
