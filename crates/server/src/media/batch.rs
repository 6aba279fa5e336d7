//! Datagrams on one way, gathered while they come, so that they leave by one system call (UDP GSO). Nothing is waited for: what
//! is gathered leaves at the end of a tick at the latest.

/// What the kernel takes at once (`UDP_MAX_SEGMENTS`).
const DATAGRAMS_MAX: usize = 64;
/// Less than a UDP payload over IPv4.
const BYTES_MAX: usize = 65_000;

/// All of one size, but the last, which may be shorter.
#[derive(Debug)]
pub(super) struct Batch<W> {
    way: Option<W>,
    contents: Vec<u8>,
    segment: usize,
    last: usize,
    count: usize,
}

/// One system call's worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gathered<'a, W> {
    pub(super) way: W,
    pub(super) contents: &'a [u8],
    /// None: a single one.
    pub(super) segment: Option<usize>,
    pub(super) count: usize,
}

impl<W> Default for Batch<W> {
    fn default() -> Self {
        Self {
            way: None,
            contents: Vec::new(),
            segment: 0,
            last: 0,
            count: 0,
        }
    }
}

impl<W: Copy + PartialEq> Batch<W> {
    /// One more, as `write` appends it. What it cannot go with leaves first.
    pub(super) fn push(
        &mut self,
        way: W,
        write: impl FnOnce(&mut Vec<u8>),
        mut leave: impl FnMut(Gathered<'_, W>),
    ) {
        if self.way != Some(way) || self.count == DATAGRAMS_MAX {
            self.flush(&mut leave);
        }
        let start = self.contents.len();
        write(&mut self.contents);
        let bytes = self.contents.len() - start;
        let fits = self.last == self.segment
            && (1..=self.segment).contains(&bytes)
            && self.contents.len() <= BYTES_MAX;
        if self.count > 0 && !fits {
            leave(Gathered {
                way,
                contents: self.contents.get(..start).unwrap_or_default(),
                segment: (self.count > 1).then_some(self.segment),
                count: self.count,
            });
            self.contents.drain(..start);
            self.count = 0;
        }
        if self.count == 0 {
            self.segment = bytes;
        }
        self.way = Some(way);
        self.last = bytes;
        self.count += 1;
    }

    pub(super) fn flush(&mut self, mut leave: impl FnMut(Gathered<'_, W>)) {
        if let Some(way) = self.way.take()
            && self.count > 0
        {
            leave(Gathered {
                way,
                contents: &self.contents,
                segment: (self.count > 1).then_some(self.segment),
                count: self.count,
            });
        }
        self.contents.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests;
