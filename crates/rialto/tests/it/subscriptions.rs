//! Events find their way: the bus brings what the consumers want, and every role that announces
//! something reaches those who listen.

use rialto::Role;
use testkit::TestShop;

#[tokio::test]
async fn the_bus_brings_what_the_consumers_want() {
    let shop = TestShop::start().await;
    for role in Role::ALL {
        shop.assert_subscriptions(*role);
    }
}

#[test]
fn who_announces_reaches_who_listens() {
    // Gateways are told where `peers.gateway` says that they are, and nobody needs to tell them.
    let needed = Role::ALL.iter().filter(|role| **role != Role::Gateway);
    for listener in needed {
        for event_type in rialto::subscriptions(*listener) {
            let announcer = event_type.split('.').nth(1).unwrap_or_default();
            let announcer: Role = announcer.parse().expect("types name their role");
            assert!(
                announcer == *listener || announcer.needs().contains(listener),
                "{listener} listens to {event_type}, but {announcer} does not need {listener}: \
                 split, its relay would not know where {listener} is"
            );
        }
    }
}
