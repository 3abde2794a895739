//! Secrets that are not in the table.

use std::path::Path;

use kernel::Secret;

use crate::table;

/// RFC 7518, section 3.2: as many bytes as the hash has.
const SHORTEST: usize = 32;

/// The secret of HS256 in a file, without the end of its line.
pub(crate) fn shared(file: &Path) -> Result<Secret<Vec<u8>>, String> {
    let secret = read(file)?;
    if secret.expose().len() < SHORTEST {
        let file = file.display();
        return Err(format!(
            "`{file}` holds fewer than {SHORTEST} bytes: `openssl rand -base64 48` makes a secret"
        ));
    }
    Ok(Secret::new(secret.expose().clone().into_bytes()))
}

/// The secret of who asks about tokens.
pub(crate) fn client(asked: &table::Introspection) -> Result<Secret<String>, String> {
    let secret = match (&asked.secret_file, &asked.secret_env) {
        (Some(file), _) => read(file)?,
        (None, Some(name)) => platform::config::variable(name)
            .ok_or_else(|| format!("the environment variable `{name}` is not set"))?,
        (None, None) => return Err(String::from("there is no secret")),
    };
    if secret.expose().is_empty() {
        return Err(String::from("the secret of the introspection is empty"));
    }
    Ok(secret)
}

fn read(file: &Path) -> Result<Secret<String>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
