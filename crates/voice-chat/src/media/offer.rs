// SPDX-License-Identifier: MPL-2.0

//! An SDP offer: whether a call can come of it, and what the pipelines need to know of it.

/// The longest offer that is read, in bytes. Browsers' are of 2 to 8 kB.
pub const MAX_OFFER_LEN: usize = 64 * 1024;
/// What a data channel takes where the offer does not say (RFC 8841).
const DEFAULT_MAX_MESSAGE_LEN: usize = 64 * 1024;

/// A codec for pictures that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// VP8, of which every browser is capable.
    Vp8,
    /// H.264, where VP8 is not offered.
    H264,
}

/// What is needed of an offer.
#[derive(Debug)]
pub struct Offer {
    /// The description as GStreamer takes it, without candidates.
    pub description: gst_sdp::SDPMessage,
    /// The client's candidates, for the one transport that all sections share.
    pub candidates: Vec<String>,
    /// The payload type of Opus.
    pub opus_payload: u8,
    /// How pictures can come, if the client means to send any.
    pub video: Option<VideoCodec>,
    /// The longest message that the client takes on a data channel, in bytes.
    pub max_message_len: usize,
}

/// Why no call comes of an offer.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OfferError {
    /// It is no SDP.
    #[error("The offer is no SDP: it begins with 'v=0' and has media sections.")]
    NoSdp,
    /// It is longer than [`MAX_OFFER_LEN`].
    #[error("The offer is longer than {MAX_OFFER_LEN} bytes.")]
    TooLong,
    /// There is nothing to hear.
    #[error("The offer has no audio section. Add an audio track or transceiver to the peer connection.")]
    NoAudio,
    /// No codec in common.
    #[error("The offer's audio section does not have the codec Opus at 48000 Hz.")]
    NoOpus,
    /// It could not be secured.
    #[error("The offer has no DTLS fingerprint or no ICE credentials, so it comes from no WebRTC client.")]
    NotWebRtc,
}

impl Offer {
    /// Reads an offer.
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_OFFER_LEN {
            return Err(OfferError::TooLong);
        }
        if !text.trim_start().starts_with("v=0") {
            return Err(OfferError::NoSdp);
        }
        let (text, candidates) = without_candidates(&without_sender_hints(text));
        let description = gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).map_err(|_| OfferError::NoSdp)?;
        if description.medias_len() == 0 {
            return Err(OfferError::NoSdp);
        }
        let mut medias = description.medias();
        let has = |name: &str| {
            description.attribute_val(name).is_some()
                || description.medias().all(|media| media.attribute_val(name).is_some())
        };
        if !(has("fingerprint") && has("ice-ufrag") && has("ice-pwd")) {
            return Err(OfferError::NotWebRtc);
        }
        let audio = description.medias().find(|media| media.media() == Some("audio")).ok_or(OfferError::NoAudio)?;
        let opus_payload = payload_of(audio, "opus/48000").ok_or(OfferError::NoOpus)?;
        let video = medias.find(|media| media.media() == Some("video") && sends(media)).and_then(|media| {
            let codec = |name, codec| payload_of(media, name).map(|_| codec);
            codec("VP8/90000", VideoCodec::Vp8).or_else(|| codec("H264/90000", VideoCodec::H264))
        });
        let max_message_len = description.medias().find(|media| media.media() == Some("application"));
        let max_message_len = max_message_len
            .and_then(|media| media.attribute_val("max-message-size")?.trim().parse().ok())
            .unwrap_or(DEFAULT_MAX_MESSAGE_LEN);
        // 0 means any length.
        let max_message_len = if max_message_len == 0 { usize::MAX } else { max_message_len };
        Ok(Self { description, candidates, opus_payload, video, max_message_len })
    }
}

/// What a sender says of its own audio (`sprop-stereo`, `sprop-maxcapturerate`) need not be so of what it receives. But
/// `webrtcbin` finds no section of the offer for audio that differs in it.
fn without_sender_hints(text: &str) -> String {
    let line = |line: &str| match line.split_once(' ') {
        Some((name, parameters)) if name.starts_with("a=fmtp:") => {
            let is_hint = |one: &&str| {
                ["sprop-stereo", "sprop-maxcapturerate"].iter().any(|hint| one.trim_start().starts_with(hint))
            };
            let kept: Vec<_> = parameters.split(';').filter(|one| !is_hint(one)).collect();
            if kept.is_empty() { String::new() } else { format!("{name} {}\r\n", kept.join(";")) }
        }
        _ => format!("{line}\r\n"),
    };
    text.lines().map(line).collect()
}

/// The description without candidates, and those of its first section, the one whose transport a bundle shares (RFC 9143).
/// `webrtcbin` would look for the client at once, and give up before a slow server of the model lets the answer go out.
fn without_candidates(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut candidates, mut medias) = (String::new(), Vec::new(), 0);
    for line in text.lines() {
        medias += usize::from(line.starts_with("m="));
        match line.strip_prefix("a=") {
            Some(value) if value.starts_with("candidate:") => {
                if medias == 1 {
                    candidates.push(value.to_owned());
                }
            }
            Some("end-of-candidates") => {}
            _ => rest += &format!("{line}\r\n"),
        }
    }
    (rest, candidates)
}

/// The first payload type of a codec.
fn payload_of(media: &gst_sdp::SDPMediaRef, codec: &str) -> Option<u8> {
    media.attributes().filter(|attribute| attribute.key() == "rtpmap").find_map(|attribute| {
        let (payload, encoding) = attribute.value()?.trim().split_once(' ')?;
        let is_it = encoding.get(..codec.len())?.eq_ignore_ascii_case(codec);
        let ends = matches!(encoding.as_bytes().get(codec.len()), None | Some(b'/' | b' '));
        (is_it && ends).then(|| payload.parse().ok()).flatten()
    })
}

/// Whether the client may send in this section.
fn sends(media: &gst_sdp::SDPMediaRef) -> bool {
    media.attribute_val("recvonly").is_none() && media.attribute_val("inactive").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    const SECURE: &str = "a=ice-ufrag:a\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 00\r\n";

    fn offer(medias: &[&str]) -> Result<Offer, OfferError> {
        gst::init().expect("GStreamer");
        let medias: String = medias.iter().map(|media| format!("{media}{SECURE}")).collect();
        Offer::parse(&format!("{HEAD}{medias}"))
    }

    const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n";

    #[test]
    fn candidates_are_those_of_the_shared_transport() {
        let audio = format!("{AUDIO}a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n");
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=candidate:2 1 udp 1 192.0.2.2 5001 typ host\r\n";
        let offer = offer(&[&audio, video]).expect("an offer");
        assert_eq!(offer.candidates, ["candidate:1 1 udp 1 192.0.2.1 5000 typ host"]);
        assert!(!offer.description.as_text().expect("text").contains("candidate"));
    }

    #[test]
    fn an_offer_says_how_audio_and_pictures_come() {
        let video =
            "m=video 9 UDP/TLS/RTP/SAVPF 97 96\r\na=rtpmap:97 H264/90000\r\na=rtpmap:96 VP8/90000\r\na=sendonly\r\n";
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=max-message-size:1000\r\n";
        let read = offer(&[AUDIO, video, data]).expect("a good offer");
        assert_eq!((read.opus_payload, read.video, read.max_message_len), (111, Some(VideoCodec::Vp8), 1000));
        let h264 = "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=rtpmap:97 H264/90000\r\n";
        assert_eq!(offer(&[AUDIO, h264]).expect("a good offer").video, Some(VideoCodec::H264));
        let received = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n";
        let read = offer(&[AUDIO, received]).expect("a good offer");
        assert_eq!((read.video, read.max_message_len), (None, 65536));
    }

    #[test]
    fn what_a_sender_says_of_its_own_audio_is_left_out() {
        let offer = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;sprop-stereo=1;useinbandfec=1\r\n\
                     a=fmtp:111 sprop-maxcapturerate=48000\r\na=fmtp:97 sprop-parameter-sets=Z0I\r\n";
        let expected = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
                        a=fmtp:97 sprop-parameter-sets=Z0I\r\n";
        assert_eq!(without_sender_hints(offer), expected);
    }

    #[test]
    fn an_offer_that_leads_to_nothing_is_refused_with_the_reason() {
        gst::init().expect("GStreamer");
        let error = |offer: Result<Offer, OfferError>| offer.err();
        assert_eq!(error(Offer::parse("hello")), Some(OfferError::NoSdp));
        assert_eq!(error(Offer::parse(HEAD)), Some(OfferError::NoSdp));
        assert_eq!(error(Offer::parse(&format!("v=0{}", " ".repeat(MAX_OFFER_LEN)))), Some(OfferError::TooLong));
        assert_eq!(error(Offer::parse(&format!("{HEAD}{AUDIO}"))), Some(OfferError::NotWebRtc));
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        assert_eq!(error(offer(&[data])), Some(OfferError::NoAudio));
        let pcmu = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\n";
        assert_eq!(error(offer(&[pcmu])), Some(OfferError::NoOpus));
    }
}
