//! What a certificate file says.

use std::net::IpAddr;
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::super::judge::CertificateSeen;

/// Of the first certificate, which is the server's own.
pub(in crate::doctor) fn certificate(
    path: &Path,
    domain: Option<&str>,
) -> Result<CertificateSeen, String> {
    let at = path.display();
    let mut chain =
        CertificateDer::pem_file_iter(path).map_err(|error| format!("{at}: {error}"))?;
    let leaf = match chain.next() {
        Some(Ok(leaf)) => leaf,
        Some(Err(error)) => return Err(format!("{at}: {error}")),
        None => return Err(format!("{at}: no certificate in it")),
    };
    read(&leaf, domain).map_err(|error| format!("{at}: {error}"))
}

fn read(leaf: &CertificateDer<'_>, domain: Option<&str>) -> Result<CertificateSeen, String> {
    let parsed = x509_cert::Certificate::from_der(leaf).map_err(|error| error.to_string())?;
    let body = parsed.tbs_certificate();
    let names = body.get_extension::<SubjectAltName>().ok().flatten();
    let names = names.map_or_else(Vec::new, |(_, names)| {
        names.0.iter().filter_map(name).collect()
    });
    let covers = match domain {
        None => None,
        Some(domain) => {
            let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|error| error.to_string())?;
            let name =
                ServerName::try_from(domain).map_err(|error| format!("{domain}: {error}"))?;
            Some(leaf.verify_is_valid_for_subject_name(&name).is_ok())
        }
    };
    Ok(CertificateSeen {
        valid_from: body.validity().not_before.to_system_time(),
        valid_until: body.validity().not_after.to_system_time(),
        names,
        covers,
        is_self_signed: body.issuer() == body.subject(),
    })
}

fn name(name: &GeneralName) -> Option<String> {
    if let GeneralName::DnsName(name) = name {
        return Some(name.to_string());
    }
    let GeneralName::IpAddress(bytes) = name else {
        return None;
    };
    let bytes = bytes.as_bytes();
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    ip.ok().map(|ip| ip.to_string())
}
