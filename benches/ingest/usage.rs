//! What processes have used, as the kernel counts it.

use std::fs;

/// The kernel's clock ticks a second: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// The processor time of a process in seconds: its own, and that of its children that have ended
/// and were waited for.
struct Spent {
    own: f64,
    children: f64,
    parent: u32,
}

fn spent(pid: u32) -> Option<Spent> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything: the numbers begin after it.
    let numbers: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |place: usize| {
        numbers.get(place).and_then(|n| n.parse::<f64>().ok()).map(|ticks| ticks / TICKS)
    };
    Some(Spent {
        own: seconds(11)? + seconds(12)?,
        children: seconds(13)? + seconds(14)?,
        parent: numbers.get(1)?.parse().ok()?,
    })
}

/// Processor seconds of one process.
pub(crate) fn of(pid: u32) -> f64 {
    spent(pid).map_or(0.0, |spent| spent.own)
}

/// Processor seconds of a process and all children, those that have ended too.
pub(crate) fn of_family(pid: u32) -> f64 {
    let mut sum = spent(pid).map_or(0.0, |spent| spent.own + spent.children);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(child) = child.and_then(spent).filter(|child| child.parent == pid) else {
            continue;
        };
        sum += child.own;
    }
    sum
}

/// Processor seconds of this process's children that have ended.
pub(crate) fn of_ended_children() -> f64 {
    spent(std::process::id()).map_or(0.0, |spent| spent.children)
}

/// How busy the whole machine was, in processor seconds of everybody.
pub(crate) fn of_machine() -> f64 {
    let all = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = all.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal: all but idle and iowait.
    let busy = ticks.iter().take(8).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    busy.map(|(_, ticks)| ticks).sum::<f64>() / TICKS
}
