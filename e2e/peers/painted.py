"""A camera on aiortc whose pictures carry a mark, and how a mark is read again."""

import asyncio
import time
from fractions import Fraction

import numpy as np
from aiortc import VideoStreamTrack
from av import VideoFrame

LOG_MAX = 2000
COLUMNS, ROWS, MARK_ROWS = 16, 9, 3


def now() -> float:
    return time.time() * 1000


def push(log: list, entry) -> None:
    log.append(entry)
    if len(log) > LOG_MAX:
        log.pop(0)


def paint(width: int, height: int, mark_id: int) -> np.ndarray:
    y = np.full((height, width), 90, dtype=np.uint8)
    high, low = mark_id >> 16, mark_id & 0xFFFF
    for r, row in enumerate((high, low, ~(high ^ low) & 0xFFFF)):
        for c in range(COLUMNS):
            y[r * height // ROWS : (r + 1) * height // ROWS, c * width // COLUMNS : (c + 1) * width // COLUMNS] = 255 if row >> (15 - c) & 1 else 0
    return np.repeat(y[:, :, None], 3, axis=2)


def read_mark(y: np.ndarray) -> int:
    height, width = y.shape
    rows = []
    for r in range(MARK_ROWS):
        row = 0
        for c in range(COLUMNS):
            top, left = int((r + 0.35) * height / ROWS), int((c + 0.35) * width / COLUMNS)
            bottom, right = int((r + 0.65) * height / ROWS) + 1, int((c + 0.65) * width / COLUMNS) + 1
            row = row * 2 + int(y[top:bottom, left:right].mean() > 128)
        rows.append(row)
    return rows[0] * 65536 + rows[1] if (~(rows[0] ^ rows[1]) & 0xFFFF) == rows[2] else -1


class Camera(VideoStreamTrack):
    def __init__(self, sender: int, width: int, height: int, fps: int) -> None:
        super().__init__()
        self.sender, self.width, self.height, self.fps, self.number, self.start = sender, width, height, fps, 0, None
        self.sent = []

    async def recv(self) -> VideoFrame:
        self.start = self.start or time.monotonic()
        await asyncio.sleep(max(0, self.start + self.number / self.fps - time.monotonic()))
        mark_id = ((self.sender & 0xFFFF) << 16) + (self.number & 0xFFFF)
        frame = VideoFrame.from_ndarray(paint(self.width, self.height, mark_id), format="bgr24")
        frame.pts, frame.time_base = self.number * 90_000 // self.fps, Fraction(1, 90_000)
        self.number += 1
        push(self.sent, {"id": mark_id, "t": now(), "w": self.width})
        return frame
