// SPDX-License-Identifier: MPL-2.0

//! Tells the plugin its version, and the linker to pack the relocations.

fn main() {
    gst_plugin_version_helper::info();
    // Three hundred kilobytes of addresses that are relative to the library. glibc reads the packed form since 2.36, which is
    // as old as GStreamer 1.22; linkers that do not know it ignore it.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,pack-relative-relocs");
    }
}
