//! The task that removes expired rows.

use std::time::{Duration, Instant};

use super::task::{Failure, Next, Node};

/// Number of rows that are removed in one step. A step blocks writers for a few milliseconds.
const STEP_ROWS_MAX: usize = 500;
/// Minimum and maximum pause between two steps, in which requests can write.
const STEP_PAUSE: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// Number of full steps in a row (a hundred thousand rows) after which the sweep counts as behind: more rows expire
/// than are removed.
const BEHIND_STEPS: u32 = 200;

/// Removes up to [`STEP_ROWS_MAX`] expired rows.
pub(super) async fn step(node: &Node, streak: u32) -> Result<Next, Failure> {
    let (app, begun) = (&node.app, Instant::now());
    match app.store.sweep(app.clock.now(), STEP_ROWS_MAX).await {
        Ok(0) => Ok(Next::Usual),
        Ok(rows) => {
            app.metrics.swept(rows);
            Ok(Next::Soon(pause(begun.elapsed(), streak + 1)))
        }
        Err(fault) => {
            app.note_fault(&fault);
            Err(Failure::new("rows of no more use could not be removed", &fault))
        }
    }
}

/// Returns the pause after a step that took the time `took`, the `steps`th in a row. A busy store makes steps slow and
/// pauses long. Usually the sweep takes a fifth of the time. If it is behind, it takes half of the time, because the
/// tables would grow otherwise.
fn pause(took: Duration, steps: u32) -> Duration {
    let [least, most] = STEP_PAUSE;
    let times = if steps > BEHIND_STEPS { 1 } else { 4 };
    took.saturating_mul(times).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_leaves_most_of_the_time_to_others_until_it_is_behind() {
        let ms = Duration::from_millis;
        assert_eq!(pause(ms(3), 1), ms(12));
        assert_eq!(pause(ms(3), BEHIND_STEPS + 1), ms(3));
        assert_eq!(pause(Duration::ZERO, 1), ms(2));
        assert_eq!(pause(ms(900), 1), ms(50));
    }
}
