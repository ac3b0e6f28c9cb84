//! Seeded chance with the distributions that workloads need.

/// Seeded generator.
#[derive(Debug, Clone)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Number from 0 to 1, exclusive.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// Number below `below`; 0 when `below` is 0.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        if below == 0 { 0 } else { self.0.usize(..below) }
    }

    /// Number of the standard normal distribution, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Factor with this deviation of its logarithm.
    pub(crate) fn factor(&mut self, deviation: f64) -> f64 {
        (self.normal() * deviation).exp()
    }

    /// Waiting time of a Poisson process with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}
