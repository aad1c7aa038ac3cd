//! Removes rows of no more use.

use std::time::{Duration, Instant};

use super::task::{Failure, Next, Node};

/// Rows that are removed in one step: a few milliseconds of the writer's time.
const STEP_ROWS_MAX: usize = 500;
/// Between two steps, so that those who wait for a token come first: at least and at most.
const STEP_PAUSE: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
/// After so many full steps in a row, a hundred thousand rows, more rows are dying than are removed.
const BEHIND_STEPS: u32 = 200;

/// Removes some rows.
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

/// How long to wait after a step that took so long, the `steps`th in a row. What it takes tells how busy the store is: on
/// a quiet one the next step comes soon. As long as nothing is amiss four fifths of the time are left to others; who is
/// behind takes half of it, or else the tables would grow for as long as the rush lasts.
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
