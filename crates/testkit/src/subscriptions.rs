//! What a role listens to, told twice: to the bus, and by its consumers.

use std::collections::BTreeSet;

use rialto::Role;

use crate::shop::TestShop;

impl TestShop {
    /// Checks that the bus brings `role` exactly the events that its consumers react to, and that
    /// consumers have names of their own below the role's.
    pub fn assert_subscriptions(&self, role: Role) {
        if role == Role::Gateway {
            // It reacts to what its table says, of what it is brought.
            return;
        }
        let consumers = self.consumers(role);
        let wanted: BTreeSet<&str> = consumers.iter().map(|c| c.event_type).collect();
        let brought: BTreeSet<&str> = rialto::subscriptions(role).iter().copied().collect();
        assert_eq!(
            wanted, brought,
            "SUBSCRIPTIONS of {role} and its consumers differ"
        );
        let names: BTreeSet<&str> = consumers.iter().map(|c| c.name).collect();
        assert_eq!(
            names.len(),
            consumers.len(),
            "two consumers of {role} share a name"
        );
        for name in names {
            assert!(
                name.starts_with(&format!("{role}.")),
                "{name} is a consumer of {role}"
            );
        }
    }
}
