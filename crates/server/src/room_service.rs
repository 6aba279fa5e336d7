//! Carries out what administrators ask for. Who may ask was decided before.

use std::sync::Arc;
use std::time::Duration;

use madang_sfu::api::{
    DataMessage, Event, Identity, LeaveReason, PeerInfo, Publication, Recipients, Request, RoomId,
    RoomName, RoomState, ShardId, ShardSet, TrackId, Update,
};
use madang_signalling::livekit::Attendance;
use madang_signalling::livekit::service::{
    Code, ParticipantUpdate, Reply, ServiceCall, TwirpError,
};

use tokio::time::timeout;

use crate::directory::{Directory, RoomView, SessionHandle};
use crate::media::Media;
use crate::session::Command;
use crate::time::now;

/// A shard that does not answer by then is stuck; another replica may know as much.
const SHARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Does what the call says.
pub(crate) async fn execute(
    directory: &Directory,
    media: &Media,
    call: ServiceCall,
) -> Result<Reply, TwirpError> {
    let service = Service { directory, media };
    match call {
        ServiceCall::CreateRoom { name, settings } => {
            let room = directory.create(now(), &name, &settings);
            Ok(service.room_reply(&room).await)
        }
        ServiceCall::ListRooms { names } => Ok(service.list(&names).await),
        ServiceCall::DeleteRoom { room } => {
            if directory.delete(&room) {
                Ok(Reply::Empty)
            } else {
                Err(TwirpError::no_room())
            }
        }
        ServiceCall::ListParticipants { room } => {
            let Some(room) = directory.room(&room) else {
                return Ok(Reply::Participants(Vec::new()));
            };
            Ok(Reply::Participants(service.peers(&room).await))
        }
        ServiceCall::GetParticipant { room, identity } => {
            let (_, peer) = service.participant(&room, &identity).await?;
            Ok(Reply::Participant(peer))
        }
        ServiceCall::RemoveParticipant { room, identity } => {
            let session = service.session(&room, &identity)?;
            let reason = LeaveReason::Removed;
            deliver(&session, Command::Request(Request::Remove { reason }))?;
            Ok(Reply::Empty)
        }
        ServiceCall::MutePublishedTrack {
            room,
            identity,
            track,
            muted,
        } => service.mute(&room, &identity, track, muted).await,
        ServiceCall::UpdateParticipant {
            room,
            identity,
            update,
        } => service.update(&room, &identity, update).await,
        ServiceCall::UpdateSubscriptions {
            room,
            identity,
            tracks,
            subscribe,
        } => {
            let session = service.session(&room, &identity)?;
            let request = if subscribe {
                Request::Subscribe {
                    tracks,
                    connection: None,
                }
            } else {
                Request::Unsubscribe { tracks }
            };
            deliver(&session, Command::Request(request))?;
            Ok(Reply::Empty)
        }
        ServiceCall::SendData { room, message } => service.send_data(&room, &message),
        ServiceCall::UpdateRoomMetadata { room, metadata } => {
            service.update_room(&room, metadata).await
        }
    }
}

struct Service<'a> {
    directory: &'a Directory,
    media: &'a Media,
}

impl Service<'_> {
    async fn list(&self, names: &[RoomName]) -> Reply {
        let rooms = if names.is_empty() {
            self.directory.rooms()
        } else {
            let found = names.iter().filter_map(|name| self.directory.room(name));
            found.collect()
        };
        let mut listed = Vec::with_capacity(rooms.len());
        for room in &rooms {
            listed.push((Arc::clone(&room.info), self.attendance(room).await));
        }
        Reply::Rooms(listed)
    }

    async fn room_reply(&self, room: &RoomView) -> Reply {
        Reply::Room(Arc::clone(&room.info), self.attendance(room).await)
    }

    async fn attendance(&self, room: &RoomView) -> Attendance {
        let mut attendance = Attendance::default();
        for peer in self.peers(room).await {
            if !peer.grant.hidden {
                attendance.peers += 1;
                attendance.publishers += u32::from(!peer.publications.is_empty());
            }
        }
        attendance
    }

    /// Members that the core knows, by any shard that has one: each replica knows everybody.
    async fn peers(&self, room: &RoomView) -> Vec<Arc<PeerInfo>> {
        let shards: ShardSet = room
            .members
            .iter()
            .map(|(_, member)| member.shard)
            .collect();
        for shard in shards.iter() {
            if let Some(state) = self.asked(shard, room.info.id).await {
                let all = std::iter::once(state.own).chain(state.others);
                // One that was replaced may still be on its way out.
                return all.filter(|peer| room.is_member(peer)).collect();
            }
        }
        Vec::new()
    }

    async fn asked(&self, shard: ShardId, room: RoomId) -> Option<RoomState> {
        let answer = timeout(SHARD_TIMEOUT, self.media.room(shard, room)).await;
        answer.ok().flatten()
    }

    fn session(&self, room: &RoomName, identity: &Identity) -> Result<SessionHandle, TwirpError> {
        let room = self.room(room)?;
        room.member(identity)
            .cloned()
            .ok_or_else(TwirpError::no_participant)
    }

    fn room(&self, room: &RoomName) -> Result<RoomView, TwirpError> {
        self.directory.room(room).ok_or_else(TwirpError::no_room)
    }

    async fn participant(
        &self,
        room: &RoomName,
        identity: &Identity,
    ) -> Result<(SessionHandle, Arc<PeerInfo>), TwirpError> {
        let room = self.room(room)?;
        let session = room.member(identity).cloned();
        let session = session.ok_or_else(TwirpError::no_participant)?;
        let peers = self.peers(&room).await;
        let peer = peers.into_iter().find(|peer| peer.id == session.peer);
        Ok((session, peer.ok_or_else(TwirpError::no_participant)?))
    }

    async fn mute(
        &self,
        room: &RoomName,
        identity: &Identity,
        track: Option<TrackId>,
        muted: bool,
    ) -> Result<Reply, TwirpError> {
        if !muted {
            // Nobody opens another's microphone.
            let msg = "remote unmute not enabled";
            return Err(TwirpError::new(Code::FailedPrecondition, msg));
        }
        let (session, peer) = self.participant(room, identity).await?;
        let publication = track.and_then(|track| peer.publication(track));
        let Some(publication) = publication else {
            return Ok(Reply::Track(None));
        };
        let track = publication.id;
        deliver(&session, Command::Request(Request::Mute { track, muted }))?;
        deliver(&session, Command::Event(Event::MuteAsked { track, muted }))?;
        let mut publication = Publication::clone(publication);
        publication.muted = muted;
        Ok(Reply::Track(Some(Arc::new(publication))))
    }

    async fn update(
        &self,
        room: &RoomName,
        identity: &Identity,
        update: ParticipantUpdate,
    ) -> Result<Reply, TwirpError> {
        let (session, peer) = self.participant(room, identity).await?;
        let update = update.into_update(&peer.grant);
        let updated = after(&peer, &update);
        deliver(
            &session,
            Command::Request(Request::Update(Box::new(update))),
        )?;
        Ok(Reply::Participant(Arc::new(updated)))
    }

    /// Each receiver's own session sends it: nobody is its sender, so no shard has it to fan out.
    fn send_data(&self, room: &RoomName, message: &DataMessage) -> Result<Reply, TwirpError> {
        let room = self.room(room)?;
        let is_receiver = |identity: &Identity, session: &SessionHandle| match &message.to {
            Recipients::Others => true,
            Recipients::Identities(identities) => identities.contains(identity),
            Recipients::Peers(peers) => peers.contains(&session.peer),
        };
        for (identity, session) in &room.members {
            if is_receiver(identity, session) {
                // Who leaves at this moment gets nothing; the others do.
                session.request(Request::Send {
                    label: Arc::clone(&message.label),
                    payload: message.payload.clone(),
                    binary: message.binary,
                    reliable: message.reliable,
                });
            }
        }
        Ok(Reply::Empty)
    }

    async fn update_room(&self, name: &RoomName, metadata: String) -> Result<Reply, TwirpError> {
        let room = self
            .directory
            .update(name, |info| info.metadata = metadata)
            .ok_or_else(TwirpError::no_room)?;
        let mut told = ShardSet::default();
        for (_, session) in &room.members {
            let is_new_shard = !told.contains(session.shard);
            if is_new_shard && session.request(Request::UpdateRoom(Arc::clone(&room.info))) {
                told.insert(session.shard);
            }
        }
        Ok(self.room_reply(&room).await)
    }
}

fn deliver(session: &SessionHandle, command: Command) -> Result<(), TwirpError> {
    session
        .command(command)
        .map_err(|_| TwirpError::no_participant())
}

/// The member as it will be. The room's own answer takes another way and may come later.
fn after(peer: &PeerInfo, update: &Update) -> PeerInfo {
    let mut peer = peer.clone();
    if let Some(name) = &update.name {
        peer.name.clone_from(name);
    }
    if let Some(metadata) = &update.metadata {
        peer.metadata.clone_from(metadata);
    }
    for (key, value) in &update.attributes {
        if value.is_empty() {
            peer.attributes.remove(key);
        } else {
            peer.attributes.insert(key.clone(), value.clone());
        }
    }
    if let Some(grant) = &update.grant {
        peer.grant = grant.clone();
    }
    peer.version += 1;
    peer
}

impl RoomView {
    fn member(&self, identity: &Identity) -> Option<&SessionHandle> {
        let found = self.members.iter().find(|(member, _)| member == identity);
        found.map(|(_, session)| session)
    }

    fn is_member(&self, peer: &PeerInfo) -> bool {
        self.member(&peer.identity)
            .is_some_and(|session| session.peer == peer.id)
    }
}
