//! The API's document and its pages: everything comes from this program, no other address.

use super::at;
use super::openapi;
use super::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// `/docs/` and the document that it shows.
pub(super) fn pages(config: &mut ServiceConfig) {
    let ui = SwaggerUi::new("/docs/{_:.*}");
    let ui = ui.config(Config::from(openapi::PATH));
    config
        .service(at(openapi::PATH).get(document))
        .service(at("/docs").get(|| async {
            HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
        }))
        .service(ui);
}

async fn document() -> Result<HttpResponse, Problem> {
    let text = openapi::text().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}
