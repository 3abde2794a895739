//! Posts and comments as values, and how they are shown.

use std::fmt;
use std::str::FromStr;

use contracts::feed::{CommentId, PostId};
use contracts::product::ProductId;
use kernel::id::IdError;
use kernel::stored::{Form, NotStored};
use kernel::{Caller, CustomerId, Id, Json, Permission, Scalar, StaffId, Stored, Timestamp};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who has written something: the shop, or a customer. The distribution key of what is kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuthorId(Uuid);

impl AuthorId {
    /// Nil, which no customer is.
    pub(crate) const SHOP: Self = Self(Uuid::nil());

    /// Who `caller` writes as: staff write for the shop.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        match caller {
            Caller::Anonymous => None,
            Caller::Customer { id, .. } => Some(Self(id.uuid())),
            Caller::Staff { .. } => Some(Self::SHOP),
        }
    }

    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }

    /// The customer, unless it is the shop.
    pub(crate) fn customer(self) -> Option<CustomerId> {
        (self != Self::SHOP).then(|| CustomerId::from_uuid(self.0))
    }

    /// Whether `caller` may remove what this author has written: customers what is theirs, staff
    /// what is the shop's if they write for it, and what is a customer's if they keep order.
    pub(crate) fn lets_remove(self, caller: &Caller) -> bool {
        match self.customer() {
            None => caller.may(Permission::FeedWrite),
            Some(author) => {
                caller.customer() == Some(author) || caller.may(Permission::FeedModerate)
            }
        }
    }
}

/// `shop`, or the id of a customer.
impl fmt::Display for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.customer() {
            Some(customer) => customer.fmt(f),
            None => f.write_str("shop"),
        }
    }
}

impl FromStr for AuthorId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "shop" {
            return Ok(Self::SHOP);
        }
        let id: CustomerId = text.parse()?;
        let author = Self(id.uuid());
        if author == Self::SHOP {
            let expected = CustomerId::PREFIX;
            return Err(IdError::Malformed { expected });
        }
        Ok(author)
    }
}

impl Serialize for AuthorId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Stored for AuthorId {
    const FORM: Form = Form::Uuid;

    fn store(&self) -> Scalar<'_> {
        Scalar::Uuid(self.0)
    }

    fn load(scalar: Scalar<'_>) -> Result<Self, NotStored> {
        Uuid::load(scalar).map(Self)
    }
}

/// Who writes, as it is kept with what they write.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) id: AuthorId,
    /// Who has written for the shop, for the shop to know.
    pub(crate) staff_id: Option<StaffId>,
    /// What they want to be called.
    pub(crate) signature: Option<String>,
}

/// An author, as everybody sees them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Author {
    /// `shop`, or the id of a customer; names their timeline.
    #[schema(value_type = String, example = "shop")]
    id: AuthorId,
    /// What they want to be called here.
    #[schema(example = "Ada")]
    signature: Option<String>,
}

/// A post that is being written.
#[derive(Debug)]
pub(crate) struct NewPost {
    pub(crate) id: PostId,
    pub(crate) writer: Writer,
    pub(crate) text: String,
    pub(crate) product_ids: Json<Vec<ProductId>>,
}

impl NewPost {
    /// The post, as it is from now on.
    pub(crate) fn published(self, at: Timestamp) -> Post {
        Post {
            author_id: self.writer.id,
            id: self.id,
            signature: self.writer.signature,
            text: self.text,
            product_ids: self.product_ids,
            published_at: at,
            likes: 0,
            comments: 0,
        }
    }
}

/// A post, as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) author_id: AuthorId,
    pub(crate) id: PostId,
    pub(crate) signature: Option<String>,
    pub(crate) text: String,
    pub(crate) product_ids: Json<Vec<ProductId>>,
    pub(crate) published_at: Timestamp,
    pub(crate) likes: i64,
    pub(crate) comments: i64,
}

/// A post, as everybody sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostView {
    id: PostId,
    author: Author,
    text: String,
    /// What it shows.
    product_ids: Vec<ProductId>,
    /// How many customers like it.
    likes: i64,
    /// How many comments there are on it.
    comments: i64,
    /// Whether the customer who asks likes it; not there for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    liked: Option<bool>,
    published_at: Timestamp,
}

impl PostView {
    /// The post as it is shown to a customer who likes it, or does not, or (`None`) to others.
    pub(crate) fn new(post: Post, liked: Option<bool>) -> Self {
        Self {
            id: post.id,
            author: Author {
                id: post.author_id,
                signature: post.signature,
            },
            text: post.text,
            product_ids: post.product_ids.0,
            likes: post.likes,
            comments: post.comments,
            liked,
            published_at: post.published_at,
        }
    }
}

/// A comment, as the database keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) id: CommentId,
    pub(crate) writer_id: AuthorId,
    pub(crate) signature: Option<String>,
    pub(crate) text: String,
    pub(crate) written_at: Timestamp,
}

/// A comment on a post.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommentView {
    id: CommentId,
    author: Author,
    text: String,
    written_at: Timestamp,
}

impl From<Comment> for CommentView {
    fn from(comment: Comment) -> Self {
        Self {
            id: comment.id,
            author: Author {
                id: comment.writer_id,
                signature: comment.signature,
            },
            text: comment.text,
            written_at: comment.written_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMER: &str = "cus_01k3v7m0s2ev3bq1w1m2r8x5zc";

    fn staff(permissions: &[Permission]) -> Caller {
        Caller::Staff {
            id: StaffId::from_uuid(Uuid::max()),
            session: kernel::identity::SessionId::from_uuid(Uuid::max()),
            permissions: permissions.iter().copied().collect(),
        }
    }

    #[test]
    fn authors_are_the_shop_or_customers() {
        assert_eq!("shop".parse(), Ok(AuthorId::SHOP));
        assert_eq!(AuthorId::SHOP.to_string(), "shop");
        let author: AuthorId = CUSTOMER.parse().expect("an author");
        assert_eq!(author.to_string(), CUSTOMER);
        let others = [
            "ord_01k3v7m0s2ev3bq1w1m2r8x5zc",
            "cus_00000000000000000000000000",
            "",
        ];
        for other in others {
            assert!(other.parse::<AuthorId>().is_err(), "{other}");
        }
    }

    #[test]
    fn nobody_writes_for_the_shop_but_staff() {
        assert_eq!(AuthorId::of(&Caller::Anonymous), None);
        assert_eq!(AuthorId::of(&staff(&[])), Some(AuthorId::SHOP));
    }

    #[test]
    fn who_keeps_order_does_not_take_down_what_the_shop_says() {
        let customer: AuthorId = CUSTOMER.parse().expect("an author");
        let (writes, moderates) = (Permission::FeedWrite, Permission::FeedModerate);
        assert!(AuthorId::SHOP.lets_remove(&staff(&[writes])));
        assert!(!AuthorId::SHOP.lets_remove(&staff(&[moderates])));
        assert!(!customer.lets_remove(&staff(&[writes])));
        assert!(customer.lets_remove(&staff(&[moderates])));
        for author in [AuthorId::SHOP, customer] {
            assert!(!author.lets_remove(&Caller::Anonymous));
        }
    }
}
