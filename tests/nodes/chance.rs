//! Drawn numbers that are the same in every run with the same seed.

/// SplitMix64, as in Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The draws of this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws of somebody else's own, which do not depend on when they are made.
    pub fn fork(&self, number: u64) -> Self {
        let mut forked = Self(self.0 ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03));
        Self(forked.draw())
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("no larger than 64 bits");
        usize::try_from(self.draw() % end).expect("below a usize")
    }

    /// A number from `first` to `last`.
    pub fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// One of these, of which there is at least one.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Up to so many different ones of these.
    pub fn some<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut left: Vec<&T> = of.iter().collect();
        let count = count.min(left.len());
        (0..count)
            .map(|_| left.swap_remove(self.below(left.len())).clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let draws = |mut chance: Chance| Vec::from_iter((0..20).map(|_| chance.below(1000)));
        let chance = Chance::seeded(7);
        assert_eq!(draws(chance.clone()), draws(Chance::seeded(7)));
        assert_ne!(draws(chance.clone()), draws(Chance::seeded(8)));
        assert_ne!(draws(chance.fork(1)), draws(chance.fork(2)));
    }

    #[test]
    fn some_are_different_ones() {
        let mut some = Chance::seeded(3).some(&[1, 2, 3, 4, 5], 4);
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 4);
    }
}
