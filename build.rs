//! Tells the plugin its version.

fn main() {
    gst_plugin_version_helper::info()
}
