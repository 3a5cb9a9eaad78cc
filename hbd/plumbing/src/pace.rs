//! How often a daemon's loop does what nobody asks for.

use std::time::Duration;

/// The loop looks at its surroundings so often, and gives a sign of life to the service manager.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Followers see a change after so long at the latest; many changes at once become one.
pub const PUBLISH_AFTER: Duration = Duration::from_millis(10);
