//! Where an order stands, and how it moves on.

use contracts::order::OrderState;

/// What moves an order on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Stock and payment are certain.
    Place,
    /// The try shall not come to anything, whatever the provider says from now on.
    Undo,
    /// Stock or payment was refused, or is back.
    Fail,
    /// Another try to place it.
    Retry,
    /// The goods have left the shelf.
    Fulfil,
    /// The parcel has left the house.
    Ship,
    /// Stock and money shall go back.
    Cancel,
    /// They have gone back.
    FinishCancelling,
}

/// Every way that there is.
pub(crate) const TRANSITIONS: &[(OrderState, Command, OrderState)] = &[
    (OrderState::Pending, Command::Place, OrderState::Placed),
    (OrderState::Pending, Command::Fail, OrderState::Failed),
    (OrderState::Pending, Command::Undo, OrderState::Failing),
    (OrderState::Failing, Command::Fail, OrderState::Failed),
    (OrderState::Failed, Command::Retry, OrderState::Pending),
    (OrderState::Placed, Command::Fulfil, OrderState::Fulfilled),
    (OrderState::Fulfilled, Command::Ship, OrderState::Shipped),
    (OrderState::Placed, Command::Cancel, OrderState::Cancelling),
    (
        OrderState::Cancelling,
        Command::FinishCancelling,
        OrderState::Cancelled,
    ),
];

/// The order's state does not allow the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidTransition {
    pub(crate) from: OrderState,
    pub(crate) command: Command,
}

/// Where `command` leads from `state`.
pub(crate) fn next(state: OrderState, command: Command) -> Result<OrderState, InvalidTransition> {
    TRANSITIONS
        .iter()
        .find(|(from, by, _)| *from == state && *by == command)
        .map(|(_, _, to)| *to)
        .ok_or(InvalidTransition {
            from: state,
            command,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_final_states() {
        for state in [OrderState::Shipped, OrderState::Cancelled] {
            assert!(
                TRANSITIONS.iter().all(|(from, _, _)| *from != state),
                "{state}"
            );
        }
    }

    #[test]
    fn every_state_can_be_reached() {
        let mut reached = vec![OrderState::Pending];
        for _ in OrderState::ALL {
            for (from, _, to) in TRANSITIONS {
                if reached.contains(from) && !reached.contains(to) {
                    reached.push(*to);
                }
            }
        }
        assert!(OrderState::ALL.iter().all(|state| reached.contains(state)));
    }

    #[test]
    fn what_is_being_undone_cannot_be_placed() {
        assert_eq!(
            next(OrderState::Failing, Command::Fail),
            Ok(OrderState::Failed)
        );
        for command in [Command::Place, Command::Retry, Command::Undo] {
            assert!(next(OrderState::Failing, command).is_err(), "{command:?}");
        }
    }

    #[test]
    fn an_order_is_placed_once() {
        let refused = next(OrderState::Placed, Command::Place).expect_err("placed already");
        assert_eq!(refused.from, OrderState::Placed);
    }
}
