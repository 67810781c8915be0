//! Frames as they are written and read.

use proptest::prelude::*;

use super::*;

/// Gives the bytes in pieces of a size.
fn source(bytes: &[u8], step: usize) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
    let mut rest = bytes;
    move |buffer| {
        let count = step.min(rest.len()).min(buffer.len());
        let (now, later) = rest.split_at(count);
        buffer[..count].copy_from_slice(now);
        rest = later;
        Ok(count)
    }
}

#[test]
fn too_large_and_unknown_frames_are_refused_in_words() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "the other side is gone"),
        (b"abc", "it broke off within a frame"),
        (
            &raw_head(65, Kind::Output as u32, 0),
            "it announced a frame of 65 bytes, 64 are allowed",
        ),
        (
            &raw_head(1, 99, 0),
            "it sent a frame of kind 99, which there is not",
        ),
    ];
    for (bytes, words) in cases {
        let error = Frames::new(64).next(source(bytes, 5)).expect_err("broken");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_large_frame_takes_no_memory_for_good() {
    let mut bytes = Vec::new();
    write(&mut bytes, Kind::Output, 0, &[&vec![7; 1024 * 1024]]).expect("memory");
    write(&mut bytes, Kind::Output, 0, &[b"x"]).expect("memory");
    let mut frames = Frames::new(2 * 1024 * 1024);
    let mut read = source(&bytes, 100_000);
    assert_eq!(
        frames.next(&mut read).expect("a frame").payload.len(),
        1024 * 1024
    );
    assert_eq!(frames.next(&mut read).expect("a frame").payload, b"x");
    assert!(matches!(frames.next(&mut read), Err(FrameError::End)));
    assert_eq!(frames.buffer.len(), BUFFER_BYTES);
}

proptest! {
    #[test]
    fn frames_are_read_as_written(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 0..6),
        step in 1_usize..50_000,
    ) {
        let mut bytes = Vec::new();
        for payload in &payloads {
            let (left, right) = payload.split_at(payload.len() / 2);
            write(&mut bytes, Kind::Call, 7, &[left, right]).expect("memory takes it");
        }
        let mut frames = Frames::new(40_000);
        let mut read = source(&bytes, step);
        for payload in &payloads {
            let frame = frames.next(&mut read).expect("a frame");
            prop_assert_eq!(frame.kind, Kind::Call);
            prop_assert_eq!(frame.number, 7);
            prop_assert_eq!(frame.payload, payload);
        }
        prop_assert!(matches!(frames.next(&mut read), Err(FrameError::End)));
    }

    #[test]
    fn any_bytes_are_frames_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut frames = Frames::new(100);
        let mut read = source(&bytes, 9);
        while let Ok(frame) = frames.next(&mut read) {
            prop_assert!(frame.payload.len() <= 100);
        }
        prop_assert!(frames.buffer.len() <= BUFFER_BYTES);
    }

    #[test]
    fn parts_go_both_ways(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..20)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mut bytes = lengths(&parts).expect("not many");
        for part in &parts {
            bytes.extend_from_slice(part);
        }
        let mut rest = bytes.as_slice();
        let (found, count) = take_parts(&mut rest).expect("as written");
        prop_assert_eq!(&found[..count], &parts[..]);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_parts_or_none(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut rest = bytes.as_slice();
        if let Some((parts, count)) = take_parts(&mut rest) {
            prop_assert!(parts[..count].iter().map(|part| part.len()).sum::<usize>() <= bytes.len());
        }
    }
}
