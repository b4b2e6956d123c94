//! What reading something takes of memory.

use peak_alloc::PeakAlloc;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Everything that is counted is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// What may be taken whatever is read.
const BASE: usize = 128 * 1024;

/// The answer, and the most bytes that were held at once to find it. It is found twice: what is
/// made once and kept (a region's phone patterns) does not count.
pub(crate) fn measured<T>(read: impl Fn() -> T) -> (T, usize) {
    drop(read());
    measured_once(read)
}

/// The same of what is so large that such things don't matter.
pub(crate) fn measured_once<T>(read: impl FnOnce() -> T) -> (T, usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let answer = read();
    (answer, HEAP.peak_usage().saturating_sub(before))
}

/// Ends the test when `taken` bytes are more than `times` what was read, and a base.
pub(crate) fn is_bounded(what: &str, read: usize, taken: usize, times: usize) {
    assert!(taken <= read * times + BASE, "{what}: {read} bytes took {taken}");
}

#[test]
fn what_is_allocated_is_counted() {
    let (kept, taken) = measured(|| drop(vec![0u8; 10_000_000]));
    assert_eq!(kept, ());
    assert!((10_000_000..11_000_000).contains(&taken), "{taken}");
}
