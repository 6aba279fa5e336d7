//! New numbers for a stream of which some packets (or pictures) are left out: no gap remains where one was left out, and
//! those that come late still find their place.

/// Where a number stands against those that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Higher than all before; so many between them did not come (yet).
    New {
        gap: u64,
    },
    /// Between them, and its place was kept free.
    Late,
    /// Between them, and known to be left out.
    LeftOut,
    Duplicate,
    /// Before the first, or too far back to be remembered.
    Old,
    /// Too far ahead to be the same stream.
    Jump,
}

/// Remembers the fate of the last `WORDS * 64` numbers. What was missed is taken as kept: it may still come.
#[derive(Debug, Clone)]
pub(super) struct Map<const WORDS: usize> {
    first: u64,
    /// One above the highest that came.
    ahead: u64,
    /// What the next kept one in order will be.
    next: u64,
    /// Bit per number, by its lowest bits.
    seen: [u64; WORDS],
    left_out: [u64; WORDS],
}

impl<const WORDS: usize> Map<WORDS> {
    const CAPACITY: u64 = 64 * WORDS as u64;

    /// `first` will become `next`.
    pub(super) fn new(first: u64, next: u64) -> Self {
        Self {
            first,
            ahead: first,
            next,
            seen: [0; WORDS],
            left_out: [0; WORDS],
        }
    }

    /// What the next kept one in order will be.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The highest that came, if any did.
    pub(super) fn newest(&self) -> u64 {
        self.ahead.saturating_sub(1)
    }

    pub(super) fn place(&self, number: u64) -> Place {
        if number >= self.ahead {
            let gap = number - self.ahead;
            return if gap < Self::CAPACITY {
                Place::New { gap }
            } else {
                Place::Jump
            };
        }
        if number < self.first || self.ahead - number > Self::CAPACITY {
            return Place::Old;
        }
        match (bit(&self.seen, number), bit(&self.left_out, number)) {
            (true, _) => Place::Duplicate,
            (false, true) => Place::LeftOut,
            (false, false) => Place::Late,
        }
    }

    pub(super) fn is_left_out(&self, number: u64) -> bool {
        (self.first..self.ahead).contains(&number)
            && self.ahead - number <= Self::CAPACITY
            && bit(&self.left_out, number)
    }

    /// For a `New` one.
    pub(super) fn keep(&mut self, number: u64) -> u64 {
        self.advance(number);
        let renumbered = self.next;
        self.next += 1;
        renumbered
    }

    /// For a `New` one, and for the last `before` of the gap in front of it.
    pub(super) fn leave_out(&mut self, number: u64, before: u64) {
        let before = before.min(number.saturating_sub(self.ahead));
        self.advance(number);
        set(&mut self.left_out, number);
        for missed in number - before..number {
            set(&mut self.left_out, missed);
        }
        self.next -= before;
    }

    /// For a `Late` one.
    pub(super) fn keep_late(&mut self, number: u64) -> u64 {
        set(&mut self.seen, number);
        self.renumbered(number)
    }

    /// For one that came before (if it was left out: what it would have been).
    pub(super) fn renumbered(&self, number: u64) -> u64 {
        let age = self.ahead.saturating_sub(number).min(Self::CAPACITY);
        let kept = age - self.left_out_since(self.ahead - age);
        self.next.saturating_sub(kept)
    }

    /// Takes the numbers up to this one into the window, all but this one as missed.
    fn advance(&mut self, number: u64) {
        if number - self.ahead >= Self::CAPACITY {
            self.seen = [0; WORDS];
            self.left_out = [0; WORDS];
        } else {
            for fresh in self.ahead..=number {
                clear(&mut self.seen, fresh);
                clear(&mut self.left_out, fresh);
            }
        }
        self.next += number - self.ahead;
        self.ahead = number + 1;
        set(&mut self.seen, number);
    }

    /// How many in `from..ahead`.
    fn left_out_since(&self, from: u64) -> u64 {
        let mut at = from;
        let mut count = 0;
        while at < self.ahead {
            let word = word(&self.left_out, at) >> (at % 64);
            let length = (64 - at % 64).min(self.ahead - at);
            let mask = u64::MAX >> (64 - length);
            count += u64::from((word & mask).count_ones());
            at += length;
        }
        count
    }
}

fn index<const WORDS: usize>(number: u64) -> usize {
    const { assert!(WORDS > 0) };
    (number / 64) as usize % WORDS
}

fn word<const WORDS: usize>(words: &[u64; WORDS], number: u64) -> u64 {
    words[index::<WORDS>(number)]
}

fn bit<const WORDS: usize>(words: &[u64; WORDS], number: u64) -> bool {
    word(words, number) >> (number % 64) & 1 == 1
}

fn set<const WORDS: usize>(words: &mut [u64; WORDS], number: u64) {
    words[index::<WORDS>(number)] |= 1 << (number % 64);
}

fn clear<const WORDS: usize>(words: &mut [u64; WORDS], number: u64) {
    words[index::<WORDS>(number)] &= !(1 << (number % 64));
}
