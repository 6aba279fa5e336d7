"""A camera that speaks RTSP: GStreamer's own server, a file as its stream. Needs the system's Python, which has GStreamer's bindings."""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, path, sound = sys.argv[1:4]
Gst.init(None)
pictures = f"filesrc location={path} ! matroskademux name=d d. ! queue ! h264parse ! rtph264pay name=pay0 pt=96"
sounds = {
    "opus": "d. ! queue ! rtpopuspay name=pay1 pt=97",
    "alaw": "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8",
}
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(f"( {pictures} {sounds[sound]} )")
factory.set_shared(True)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
