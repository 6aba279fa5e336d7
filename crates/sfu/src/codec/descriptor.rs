//! The dependency descriptor header extension (AV1 RTP specification, appendix A): which layers a packet's frame belongs
//! to, readable even where the payload is encrypted end to end.

use std::sync::Arc;

use super::bits::{BitWriter, Bits};

/// `frame_dependency_template_id` has six bits.
const TEMPLATES_MAX: usize = 64;
const SPATIAL_MAX: u8 = 3;
const TEMPORAL_MAX: u8 = 7;
/// Start and end of frame, template, frame number: what every packet has.
const MANDATORY_BYTES: usize = 3;
/// Decode target indications, two bits each.
const NOT_PRESENT: u8 = 0;
const DISCARDABLE: u8 = 1;
const SWITCH: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
}

/// What a receiver can ask for, by number; layers up to and with the named one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DecodeTargets(Vec<Layer>);

impl DecodeTargets {
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(0)
    }

    pub(crate) fn all(&self) -> u32 {
        self.mask(|_| true)
    }

    /// Those that need nothing above the given layers.
    pub(crate) fn up_to(&self, spatial: u8, temporal: u8) -> u32 {
        self.mask(|layer| layer.spatial <= spatial && layer.temporal <= temporal)
    }

    fn mask(&self, wanted: impl Fn(Layer) -> bool) -> u32 {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, layer)| wanted(**layer))
            .fold(0, |mask, (index, _)| mask | 1 << index)
    }

    fn spatial_count(&self, active: u32) -> u8 {
        self.0
            .iter()
            .enumerate()
            .filter(|(index, _)| active >> index & 1 == 1)
            .map(|(_, layer)| layer.spatial + 1)
            .max()
            .unwrap_or(1)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    layer: Layer,
    indications: Indications,
    has_dependencies: bool,
}

/// Two bits per decode target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Indications(u64);

impl Indications {
    fn read(bits: &mut Bits<'_>, targets: u32) -> Option<Self> {
        let mut all = 0;
        for index in 0..targets {
            all |= u64::from(bits.take(2)?) << (index * 2);
        }
        Some(Self(all))
    }

    fn of(self, target: usize) -> u8 {
        (self.0 >> (target * 2) & 3) as u8
    }
}

/// The template dependency structure; sent with key frames, and needed to read all other descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Structure {
    template_id_offset: u8,
    pub(crate) targets: DecodeTargets,
    chains: u32,
    templates: Vec<Template>,
}

/// One packet's descriptor.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) start: bool,
    pub(crate) end: bool,
    pub(crate) structure: Option<Structure>,
    /// The decode targets that the sender makes at present, where it says so.
    pub(crate) active: Option<u32>,
    pub(crate) layer: Layer,
    pub(crate) has_dependencies: bool,
    indications: Indications,
}

impl Descriptor {
    /// `known` is the structure of an earlier packet. None: malformed, or a structure is missing.
    pub(crate) fn parse(bytes: &[u8], known: Option<&Structure>) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        let head = Head::read(&mut bits)?;
        let structure = match head.has_structure {
            true => Some(Structure::read(&mut bits)?),
            false => None,
        };
        let current = structure.as_ref().or(known)?;
        let active = match head.has_active {
            true => Some(bits.take(current.targets.count())?),
            false => None,
        };
        let template = current.template(head.template_id)?;
        let indications = match head.has_custom_indications {
            true => Indications::read(&mut bits, current.targets.count())?,
            false => template.indications,
        };
        let has_dependencies = match head.has_custom_differences {
            true => skip_custom_differences(&mut bits)?,
            false => template.has_dependencies,
        };
        if head.has_custom_chains {
            for _ in 0..current.chains {
                bits.take(8)?;
            }
        }
        Some(Self {
            start: head.start,
            end: head.end,
            active,
            layer: template.layer,
            has_dependencies,
            indications,
            structure,
        })
    }

    /// Nothing in any decode target depends on it.
    pub(crate) fn is_discardable(&self, targets: &DecodeTargets) -> bool {
        (0..targets.0.len())
            .all(|index| matches!(self.indications.of(index), NOT_PRESENT | DISCARDABLE))
    }

    /// From here on a receiver of this spatial layer may add all higher temporal ones.
    pub(crate) fn is_switch_point(&self, targets: &DecodeTargets) -> bool {
        let mut higher = targets
            .0
            .iter()
            .enumerate()
            .filter(|(_, target)| {
                target.spatial == self.layer.spatial && target.temporal > self.layer.temporal
            })
            .peekable();
        higher.peek().is_some() && higher.all(|(index, _)| self.indications.of(index) == SWITCH)
    }
}

/// What can be read without a structure.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the format's flags"
)]
pub(crate) struct Head {
    pub(crate) start: bool,
    pub(crate) end: bool,
    template_id: u8,
    pub(crate) frame_number: u16,
    pub(crate) has_structure: bool,
    pub(crate) has_active: bool,
    has_custom_indications: bool,
    has_custom_differences: bool,
    has_custom_chains: bool,
}

impl Head {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read(&mut Bits::new(bytes))
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let start = bits.flag()?;
        let end = bits.flag()?;
        let template_id = bits.take_u8(6)?;
        let frame_number = u16::try_from(bits.take(16)?).ok()?;
        let is_extended = bits.remaining() > 0;
        let mut flag = || {
            if is_extended {
                bits.flag()
            } else {
                Some(false)
            }
        };
        Some(Self {
            start,
            end,
            template_id,
            frame_number,
            has_structure: flag()?,
            has_active: flag()?,
            has_custom_indications: flag()?,
            has_custom_differences: flag()?,
            has_custom_chains: flag()?,
        })
    }
}

impl Structure {
    pub(crate) fn spatial_count(&self, active: u32) -> u8 {
        self.targets.spatial_count(active)
    }

    fn template(&self, template_id: u8) -> Option<&Template> {
        let index = (template_id + 64 - self.template_id_offset) % 64;
        self.templates.get(usize::from(index))
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let template_id_offset = bits.take_u8(6)?;
        let targets_count = bits.take(5)? + 1;
        let layers = read_layers(bits)?;
        let mut templates = Vec::with_capacity(layers.len());
        for layer in layers {
            templates.push(Template {
                layer,
                indications: Indications::read(bits, targets_count)?,
                has_dependencies: false,
            });
        }
        for template in &mut templates {
            while bits.flag()? {
                bits.take(4)?;
                template.has_dependencies = true;
            }
        }
        let chains = bits.take_below(targets_count + 1)?;
        if chains > 0 {
            for _ in 0..targets_count {
                bits.take_below(chains)?;
            }
            for _ in 0..templates.len() {
                for _ in 0..chains {
                    bits.take(4)?;
                }
            }
        }
        let targets = target_layers(&templates, targets_count);
        if bits.flag()? {
            let spatial_max = templates
                .iter()
                .map(|template| template.layer.spatial)
                .max()?;
            for _ in 0..=spatial_max {
                bits.take(32)?;
            }
        }
        Some(Self {
            template_id_offset,
            targets,
            chains,
            templates,
        })
    }
}

/// The mask of active decode targets in a descriptor without a structure.
pub(crate) fn active_of(bytes: &[u8], targets: &DecodeTargets) -> Option<u32> {
    let mut bits = Bits::new(bytes);
    let head = Head::read(&mut bits)?;
    if head.has_structure || !head.has_active {
        return None;
    }
    bits.take(targets.count())
}

/// The packet's descriptor with another frame number, and with `active` as its mask of active decode targets if one is
/// given. `targets` is the number of decode targets of the structure in force.
pub(crate) fn rewrite(
    bytes: &[u8],
    frame_number: u16,
    active: Option<u32>,
    targets: u32,
) -> Option<Arc<[u8]>> {
    let Some(active) = active else {
        let mut copy = Arc::<[u8]>::from(bytes);
        let place = Arc::get_mut(&mut copy)?.get_mut(1..MANDATORY_BYTES)?;
        place.copy_from_slice(&frame_number.to_be_bytes());
        return Some(copy);
    };
    let mut from = Bits::new(bytes);
    let mut to = BitWriter::default();
    to.copy(&mut from, 8)?;
    to.put(u32::from(frame_number), 16);
    let head = Head::read(&mut Bits::new(bytes))?;
    from.take(16)?;
    if from.remaining() > 0 {
        from.take(5)?;
    }
    for flag in [
        head.has_structure,
        true,
        head.has_custom_indications,
        head.has_custom_differences,
        head.has_custom_chains,
    ] {
        to.flag(flag);
    }
    let mut targets = targets;
    if head.has_structure {
        let mut ahead = from.clone();
        targets = Structure::read(&mut ahead)?.targets.count();
        let length = ahead.position() - from.position();
        to.copy(&mut from, length)?;
    }
    to.put(active, targets);
    if head.has_active {
        from.take(targets)?;
    }
    let rest = from.remaining();
    to.copy(&mut from, rest)?;
    Some(to.into_bytes().into())
}

/// One entry per template.
fn read_layers(bits: &mut Bits<'_>) -> Option<Vec<Layer>> {
    let mut layers = Vec::new();
    let (mut spatial, mut temporal) = (0_u8, 0_u8);
    loop {
        if layers.len() >= TEMPLATES_MAX {
            return None;
        }
        layers.push(Layer { spatial, temporal });
        match bits.take(2)? {
            0 => {}
            1 => temporal += 1,
            2 => {
                temporal = 0;
                spatial += 1;
            }
            _ => return Some(layers),
        }
        if spatial > SPATIAL_MAX || temporal > TEMPORAL_MAX {
            return None;
        }
    }
}

/// A decode target reaches as high as the templates that are present in it.
fn target_layers(templates: &[Template], count: u32) -> DecodeTargets {
    let layer_of = |index: usize| {
        let present = || {
            templates
                .iter()
                .filter(move |template| template.indications.of(index) != NOT_PRESENT)
        };
        Layer {
            spatial: present().map(|t| t.layer.spatial).max().unwrap_or(0),
            temporal: present().map(|t| t.layer.temporal).max().unwrap_or(0),
        }
    };
    DecodeTargets((0..count as usize).map(layer_of).collect())
}

/// Were there any?
fn skip_custom_differences(bits: &mut Bits<'_>) -> Option<bool> {
    let mut any = false;
    loop {
        let size = bits.take(2)?;
        if size == 0 {
            return Some(any);
        }
        bits.take(size * 4)?;
        any = true;
    }
}
