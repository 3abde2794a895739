//! The OpenAPI 3.1 document, put together from the routes.

use kernel::{Access, problem::ProblemDetails};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths,
    Ref, RefOr, Required, Response, ResponseBuilder,
};

use super::RouteInfo;

/// The document of all `routes`.
pub fn document(title: &str, version: &str, about: &str, routes: &[RouteInfo]) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new();
    for route in routes {
        let method = match route.method.as_str() {
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            "PATCH" => HttpMethod::Patch,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        paths.add_path_operation(route.path.clone(), vec![method], operation(route));
        components = components.schemas_from_iter(route.schemas.clone());
    }
    let info = InfoBuilder::new()
        .title(title)
        .version(version)
        .description(Some(about));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(shared(components.build())))
        .build()
}

fn shared(mut components: Components) -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a log-in."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut nested = Vec::new();
    <ProblemDetails as utoipa::ToSchema>::schemas(&mut nested);
    components.schemas.extend(nested);
    let problem = <ProblemDetails as utoipa::PartialSchema>::schema();
    components.schemas.insert(String::from("Problem"), problem);
    components
}

/// What all operations of a kind have in common is added here, so that annotations hold only what
/// is theirs.
fn operation(route: &RouteInfo) -> Operation {
    let mut operation = route.documentation.clone();
    operation.operation_id = Some(route.operation.to_owned());
    operation.tags = Some(vec![route.role.to_owned()]);
    let bearer = SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []);
    let security = match route.access {
        Access::Anyone => vec![SecurityRequirement::default(), bearer],
        _ => vec![bearer],
    };
    operation.security = Some(security);
    operation.extensions = Some(
        ExtensionsBuilder::new()
            .add("x-rialto-access", route.access.to_string())
            .build(),
    );
    let keyed = route.method == http::Method::POST && !route.path.starts_with("/v1/auth/");
    if keyed && route.operation != "create_quote" {
        operation
            .parameters
            .get_or_insert_default()
            .push(RefOr::T(idempotency_key()));
    }
    let responses = &mut operation.responses.responses;
    responses
        .entry(String::from("default"))
        .or_insert_with(|| problem().into());
    for (status, response) in responses.iter_mut() {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            let id = HeaderBuilder::new()
                .schema(Some(text()))
                .description(Some("Names the request."))
                .build();
            response
                .headers
                .insert(String::from("X-Request-Id"), RefOr::T(id));
        }
    }
    operation
}

fn problem() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description("What went wrong (RFC 9457); `code` is stable.")
        .content("application/problem+json", content)
        .build()
}

fn idempotency_key() -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A text of your own, such as a UUID, that makes repeating the request harmless: the \
             same key and body get the same answer, with `Idempotent-Replayed: true`. Who is \
             logged in may use shorter ones.",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(16))
                .max_length(Some(255)),
        ))
        .build()
}

fn text() -> utoipa::openapi::Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .build()
        .into()
}
