# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSSL's short names of the attributes that a distinguished name may have (crypto/objects/objects.txt)."""

from __future__ import annotations

# nginx prints them in $ssl_client_s_dn. OpenSSL knows more object identifiers, which are no attributes.
# fmt: off
_X500 = (  # 2.5.4.3 and on
    "CN SN serialNumber C L ST street O OU title description searchGuide businessCategory postalAddress"
    " postalCode postOfficeBox physicalDeliveryOfficeName telephoneNumber telexNumber"
    " teletexTerminalIdentifier facsimileTelephoneNumber x121Address internationaliSDNNumber"
    " registeredAddress destinationIndicator preferredDeliveryMethod presentationAddress"
    " supportedApplicationContext member owner roleOccupant seeAlso userPassword userCertificate"
    " cACertificate authorityRevocationList certificateRevocationList crossCertificatePair name GN initials"
    " generationQualifier x500UniqueIdentifier dnQualifier enhancedSearchGuide protocolInformation"
    " distinguishedName uniqueMember houseIdentifier supportedAlgorithms deltaRevocationList dmdName"
)
_COSINE = (  # 0.9.2342.19200300.100.1.1 and on; a dash where there is none
    "UID textEncodedORAddress mail info favouriteDrink roomNumber photo userClass host manager"
    " documentIdentifier documentTitle documentVersion documentAuthor documentLocation - - - -"
    " homeTelephoneNumber secretary otherMailbox lastModifiedTime lastModifiedBy DC aRecord"
    " pilotAttributeType27 mXRecord nSRecord sOARecord cNAMERecord - - - - - associatedDomain associatedName"
    " homePostalAddress personalTitle mobileTelephoneNumber pagerTelephoneNumber friendlyCountryName uid"
    " organizationalStatus janetMailbox mailPreferenceOption buildingName dSAQuality singleLevelQuality"
    " subtreeMinimumQuality subtreeMaximumQuality personalSignature dITRedirect audio documentPublisher"
)
SHORT = {
    **{f"2.5.4.{arc}": name for arc, name in enumerate(_X500.split(), 3)},
    "2.5.4.65": "pseudonym", "2.5.4.72": "role", "2.5.4.97": "organizationIdentifier", "2.5.4.98": "c3",
    "2.5.4.99": "n3", "2.5.4.100": "dnsName",
    **{
        f"0.9.2342.19200300.100.1.{arc}": name
        for arc, name in enumerate(_COSINE.split(), 1) if name != "-"
    },
    "1.2.840.113549.1.9.1": "emailAddress", "1.2.840.113549.1.9.2": "unstructuredName",
    "1.2.840.113549.1.9.7": "challengePassword", "1.2.840.113549.1.9.8": "unstructuredAddress",
    "1.2.840.113549.1.9.20": "friendlyName", "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
    "1.3.6.1.5.5.7.9.1": "id-pda-dateOfBirth", "1.3.6.1.5.5.7.9.2": "id-pda-placeOfBirth",
    "1.3.6.1.5.5.7.9.3": "id-pda-gender", "1.3.6.1.5.5.7.9.4": "id-pda-countryOfCitizenship",
    "1.3.6.1.5.5.7.9.5": "id-pda-countryOfResidence", "1.2.643.3.131.1.1": "INN",
    "1.2.643.100.1": "OGRN", "1.2.643.100.3": "SNILS", "1.2.643.100.5": "OGRNIP",
}
# fmt: on
