/** A courtyard house seen from above: roofs on four sides, the gate open, people in the yard. Decoration. */
export function Courtyard() {
  const tiles = Array.from({ length: 31 }, (_, index) => 10 + index * 12);
  const sideTiles = Array.from({ length: 13 }, (_, index) => 72 + index * 12);
  return (
    <svg class="courtyard" viewBox="0 0 384 288" fill="none" aria-hidden="true" focusable="false">
      <rect class="yard-ground" x="2" y="2" width="380" height="284" rx="10" />
      <path class="yard-roof" d="M12 2h360a10 10 0 0 1 10 10l-60 52H62L2 12A10 10 0 0 1 12 2ZM2 12l60 52v160L2 276ZM382 12l-60 52v160l60 52ZM2 276l60-52h88v62H12a10 10 0 0 1-10-10ZM382 276l-60-52h-88v62h138a10 10 0 0 0 10-10Z" />
      <g class="yard-ridges">
        {tiles.map((x) => (
          <path key={`t${x}`} d={`M${x} ${Math.max(4, 0)}V${roofEdge(x)}`} />
        ))}
        {tiles
          .filter((x) => x < 148 || x > 236)
          .map((x) => (
            <path key={`b${x}`} d={`M${x} 284V${288 - roofEdge(x)}`} />
          ))}
        {sideTiles.map((y) => (
          <path key={`l${y}`} d={`M4 ${y}H62M322 ${y}H380`} />
        ))}
      </g>
      <path class="yard-eaves" d="M62 64h260v160h-88M150 224H62V64" />
      <g class="yard-people">
        <circle cx="150" cy="128" r="11" />
        <circle cx="196" cy="108" r="11" />
        <circle cx="236" cy="138" r="11" />
        <circle cx="176" cy="168" r="11" />
      </g>
      <circle class="yard-guest" cx="192" cy="246" r="11" />
    </svg>
  );
}

/** How far down the upper roof reaches at `x`. */
function roofEdge(x: number): number {
  const fromSide = Math.min(x, 384 - x);
  return fromSide >= 62 ? 64 : 12 + ((fromSide - 2) * 52) / 60;
}
