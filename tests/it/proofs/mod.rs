//! The proofs that nothing acknowledged is lost: the real program as a process, under load, while
//! whatever can happen to a server happens to it.
//!
//! Their short form runs with all other tests; `tests/proofs` runs the full one.

mod books;
mod crash;
mod load;
mod postgres;
mod sqlite;
mod stories;

/// True where the proofs are to be thorough: hours of work in minutes, instead of seconds.
fn is_full() -> bool {
    std::env::var("PROOFS").is_ok_and(|form| form == "full")
}

/// How much of something there is: in the short form, in the full one, or as a variable says.
fn number(variable: &str, short: u64, full: u64) -> u64 {
    let given = std::env::var(variable).ok().map(|text| text.parse().expect("a number"));
    given.unwrap_or(if is_full() { full } else { short })
}

/// Chance that can be had again: the same seed draws the same numbers.
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    /// Of the seed that `PROOFS_SEED` names, or another each time; it is printed.
    fn of_this_run() -> Self {
        let drawn = u64::from_le_bytes(bookhook::domain::ids::random().unwrap()) % 1_000_000;
        let seed = number("PROOFS_SEED", drawn, drawn);
        println!("PROOFS_SEED={seed}");
        Self(seed)
    }

    /// Another, of which this one's draws say nothing.
    fn another(&mut self, number: u64) -> Self {
        Self(self.next() ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    /// True so often of a hundred times.
    fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
